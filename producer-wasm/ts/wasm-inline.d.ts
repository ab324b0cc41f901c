declare module "rocketmq-web:wasm" {
  const base64: string;
  export default base64;
}
