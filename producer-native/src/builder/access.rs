//! Who signs, and in which namespace, as a builder is told.

use std::error::Error;
use std::future::Future;
use std::path::Path;

use producer_core::Credentials;

use super::{BuildError, Builder};
use crate::access::{Lease, Provider, key_file};

/// Access control and namespaces.
impl Builder {
    /// Signs every request with these.
    ///
    /// ```
    /// # use producer_native::{Credentials, InvalidCredentials, Producer};
    /// let builder = Producer::builder("orders").credentials(Credentials::new("key", "secret")?);
    /// # Ok::<(), InvalidCredentials>(())
    /// ```
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.config.credentials = Some(credentials);
        self
    }

    /// Signs every request with the credentials of a Java client's key file: properties
    /// `AccessKey`, `SecretKey` and perhaps `SecurityToken`. Without a path it is `key` in the home
    /// folder. It is read once, now.
    pub fn key_file(mut self, path: Option<&Path>) -> Self {
        match key_file(path) {
            Ok(credentials) => self.config.credentials = Some(credentials),
            Err(problem) => self.note(BuildError::KeyFile(problem)),
        }
        self
    }

    /// Signs every request with what this brings: asked when the producer is first used, and again
    /// when a [`Lease`] says so. Nobody is dialled before it has brought the first. When it fails or
    /// takes longer than 30 s, what there is stays in use, and it is asked again after 250 ms and up
    /// to 30 s. Its errors are logged: put no secret into them. After a panic it is not asked again.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use producer_native::{Credentials, InvalidCredentials, Lease, Producer};
    /// let builder = Producer::builder("orders").credentials_provider(|| async {
    ///     let temporary = Credentials::new("key", "secret")?.with_token("token")?;
    ///     Ok::<_, InvalidCredentials>(Lease::new(temporary, Duration::from_secs(600)))
    /// });
    /// ```
    pub fn credentials_provider<F, L, E>(
        mut self,
        provide: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<L, E>> + Send + 'static,
        L: Into<Lease>,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        self.ways.provider = Some(Provider::new(provide));
        self
    }

    /// The namespace of old, a prefix of topics and groups: [`Config::namespace`].
    ///
    /// [`Config::namespace`]: crate::Config::namespace
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.config.namespace = Some(namespace.into());
        self
    }

    /// The namespace as brokers and proxies since 5.2 know it: [`Config::namespace_v2`].
    ///
    /// [`Config::namespace_v2`]: crate::Config::namespace_v2
    pub fn namespace_v2(mut self, namespace: impl Into<String>) -> Self {
        self.config.namespace_v2 = Some(namespace.into());
        self
    }
}
