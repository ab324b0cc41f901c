// The sending code, read by hand: the page's policy allows no eval, and should not.
//
// It is one call, `producer.send({ ... })`, whose values are expressions of `n`, the number of the
// message: literals, templates, + - * / %, comparisons, ?:, parentheses, arrays, and String(), Math.floor(), Math.random().

export type Value = string | number | boolean | Value[] | { [name: string]: Value };
export type Recipe = (n: number) => { [name: string]: Value };

type Code = (n: number) => Value;

/** What a message may have; others are a mistake of whoever writes. */
const FIELDS = new Set(["topic", "body", "tag", "keys", "properties", "orderingKey", "delayLevel", "delayMs", "priority", "flag"]);

export class RecipeError extends Error {}

/** Reads the code. Throws a {@link RecipeError} that says where it stops making sense. */
export function read(code: string): Recipe {
  const reader = new Reader(code);
  return reader.program();
}

class Reader {
  private at = 0;

  constructor(private readonly text: string) {}

  program(): Recipe {
    this.word("await");
    this.need("producer");
    this.need(".");
    this.need("send");
    this.need("(");
    this.blank();
    if (this.text[this.at] !== "{") throw this.fail("send wants a message: { ... }");
    const message = this.primary();
    this.need(")");
    this.take(";");
    this.blank();
    if (this.at < this.text.length) throw this.fail("one call of send, and nothing behind it");
    const first = message(0) as { [name: string]: Value };
    for (const name of Object.keys(first)) {
      if (!FIELDS.has(name)) throw new RecipeError(`a message has no "${name}"; it has ${[...FIELDS].join(", ")}`);
    }
    if (!("body" in first)) throw new RecipeError("a message wants a body");
    return message as Recipe;
  }

  private expression(): Code {
    const test = this.binary(0);
    if (!this.take("?")) return test;
    const yes = this.expression();
    this.need(":");
    const no = this.expression();
    return (n) => (test(n) ? yes(n) : no(n));
  }

  private binary(level: number): Code {
    const operators = LEVELS[level];
    if (operators === undefined) return this.primary();
    let left = this.binary(level + 1);
    for (;;) {
      this.blank();
      const operator = operators.find((one) => this.text.startsWith(one, this.at));
      if (operator === undefined) return left;
      this.at += operator.length;
      const [a, b, apply] = [left, this.binary(level + 1), APPLY[operator]!];
      left = (n) => apply(a(n), b(n));
    }
  }

  private primary(): Code {
    this.blank();
    const c = this.text[this.at];
    if (c === undefined) throw this.fail("it ends too early");
    if (this.take("(")) {
      const inner = this.expression();
      this.need(")");
      return inner;
    }
    if (this.take("-")) {
      const inner = this.primary();
      return (n) => -(inner(n) as number);
    }
    if (c === "'" || c === '"') return this.quoted(c);
    if (c === "`") return this.template();
    if (this.take("[")) return this.list();
    if (this.take("{")) return this.object();
    const number = this.match(/\d[\d_]*(\.\d+)?/y);
    if (number !== undefined) {
      const value = Number(number.replaceAll("_", ""));
      return () => value;
    }
    return this.named();
  }

  private named(): Code {
    const name = this.match(/[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*/y);
    if (name === "n") return (n) => n;
    if (name === "true" || name === "false") return () => name === "true";
    const call = name === undefined ? undefined : CALLS[name];
    if (call === undefined) {
      throw this.fail(name === undefined ? "a value belongs here" : `"${name}" is not known; there are n, ${Object.keys(CALLS).join(", ")}`);
    }
    this.need("(");
    if (this.take(")")) return () => call(0);
    const inner = this.expression();
    this.need(")");
    return (n) => call(inner(n));
  }

  private quoted(quote: string): Code {
    const end = this.text.indexOf(quote, this.at + 1);
    if (end < 0) throw this.fail("this text has no end");
    const value = unescape(this.text.slice(this.at + 1, end));
    this.at = end + 1;
    return () => value;
  }

  private template(): Code {
    this.at += 1;
    const parts: Code[] = [];
    for (;;) {
      const plain = this.match(/[^`$]+|\$(?!\{)/y);
      if (plain !== undefined) {
        const value = unescape(plain);
        parts.push(() => value);
      } else if (this.text.startsWith("${", this.at)) {
        this.at += 2;
        parts.push(this.expression());
        this.need("}");
      } else if (this.text[this.at] === "`") {
        this.at += 1;
        return (n) => parts.reduce((text, part) => text + String(part(n)), "");
      } else {
        throw this.fail("this template has no end");
      }
    }
  }

  private list(): Code {
    const items: Code[] = [];
    while (!this.take("]")) {
      items.push(this.expression());
      if (!this.take(",")) {
        this.need("]");
        break;
      }
    }
    return (n) => items.map((item) => item(n));
  }

  private object(): Code {
    const entries: [string, Code][] = [];
    while (!this.take("}")) {
      this.blank();
      const quoted = this.match(/"[^"]*"|'[^']*'/y);
      const name = quoted?.slice(1, -1) ?? this.match(/[A-Za-z_$][\w$]*/y);
      if (name === undefined) throw this.fail("a name belongs here");
      this.need(":");
      entries.push([name, this.expression()]);
      if (!this.take(",")) {
        this.need("}");
        break;
      }
    }
    return (n) => {
      const object: { [name: string]: Value } = {};
      for (const [name, code] of entries) object[name] = code(n);
      return object;
    };
  }

  private blank(): void {
    this.match(/(\s|\/\/[^\n]*)+/y);
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    this.at += found?.length ?? 0;
    return found;
  }

  private take(text: string): boolean {
    this.blank();
    if (!this.text.startsWith(text, this.at)) return false;
    this.at += text.length;
    return true;
  }

  private word(text: string): void {
    this.take(text);
  }

  private need(text: string): void {
    if (!this.take(text)) throw this.fail(`"${text}" belongs here`);
  }

  private fail(why: string): RecipeError {
    const before = this.text.slice(0, this.at).split("\n");
    return new RecipeError(`line ${before.length}, column ${before.at(-1)!.length + 1}: ${why}`);
  }
}

function unescape(text: string): string {
  return text.replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c === "t" ? "\t" : c));
}

/** Weakest first; of operators that begin alike the longer one first. */
const LEVELS = [["===", "!=="], ["<=", ">=", "<", ">"], ["+", "-"], ["*", "/", "%"]];

const APPLY: Record<string, (a: Value, b: Value) => Value> = {
  "===": (a, b) => a === b,
  "!==": (a, b) => a !== b,
  "<=": (a, b) => a <= b,
  ">=": (a, b) => a >= b,
  "<": (a, b) => a < b,
  ">": (a, b) => a > b,
  "+": (a, b) => (typeof a === "number" && typeof b === "number" ? a + b : String(a) + String(b)),
  "-": (a, b) => Number(a) - Number(b),
  "*": (a, b) => Number(a) * Number(b),
  "/": (a, b) => Number(a) / Number(b),
  "%": (a, b) => Number(a) % Number(b),
};

const CALLS: Record<string, (value: Value) => Value> = {
  String: (value) => String(value),
  "Math.floor": (value) => Math.floor(Number(value)),
  "Math.random": () => Math.random(),
};
