//! What does an error of rustls mean for a connection?

use std::io;

use producer_core::{ConnectionEnd, TlsFault};
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error};

/// How a connection ended, if it ended by TLS.
pub(crate) fn end_of(error: &io::Error) -> Option<ConnectionEnd> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    let fault = match error {
        Error::InvalidCertificate(error) => of_certificate(error),
        Error::NoCertificatesPresented => TlsFault::BadCertificate,
        Error::AlertReceived(alert) => of_alert(*alert),
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => TlsFault::NotTls,
        _ => TlsFault::Other,
    };
    Some(ConnectionEnd::Tls { fault, detail: error.to_string() })
}

fn of_certificate(error: &CertificateError) -> TlsFault {
    use CertificateError as Bad;
    match error {
        Bad::Expired | Bad::ExpiredContext { .. } => TlsFault::Expired,
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => TlsFault::NotYetValid,
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => TlsFault::WrongName,
        // One of the same name with another key: it was made anew, and we have the old one.
        Bad::UnknownIssuer | Bad::BadSignature => TlsFault::UnknownAuthority,
        _ => TlsFault::BadCertificate,
    }
}

/// What the server says is wrong with us.
fn of_alert(alert: AlertDescription) -> TlsFault {
    use AlertDescription as Alert;
    match alert {
        Alert::CertificateRequired
        | Alert::NoCertificate
        | Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCA
        | Alert::AccessDenied
        // A signature in the handshake is wrong, and the only one of ours is with a certificate.
        | Alert::DecryptError => TlsFault::ClientCertificate,
        _ => TlsFault::Other,
    }
}
