//! What is wrong with a text in PEM, in words.
use rustls_pki_types::pem::Error;

/// What is wrong with a text in PEM. The library's own words list the bytes of whole lines: in a text that has lost its line
/// breaks they are those of a key.
pub fn pem_fault(error: &Error) -> String {
    let fault = match error {
        Error::MissingSectionEnd { .. } => "the line with -----END is missing, or has no line of its own",
        Error::IllegalSectionStart { .. } => "a line with -----BEGIN does not end in -----; look for lost line breaks",
        Error::Base64Decode(_) => "what stands between -----BEGIN and -----END is no base64",
        Error::NoItemsFound => "there is none in PEM; look for the line with -----BEGIN",
        Error::Io(reason) => return reason.to_string(),
        _ => "it is too large",
    };
    fault.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls_pki_types::PrivateKeyDer;
    use rustls_pki_types::pem::PemObject;

    #[test]
    fn a_fault_is_told_without_the_text() {
        const END: &str = "-----END PRIVATE KEY-----\n";
        for (text, word) in [
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n".to_owned(), "-----END is missing"),
            (format!("-----BEGIN PRIVATE KEY-----SECRET{END}"), "-----END is missing"),
            (format!("-----BEGIN PRIVATE KEY-----SECRET\n{END}"), "lost line breaks"),
            (format!("-----BEGIN PRIVATE KEY-----\n?SECRET?\n{END}"), "no base64"),
            ("SECRET".to_owned(), "none in PEM"),
        ] {
            let fault = pem_fault(&PrivateKeyDer::from_pem_slice(text.as_bytes()).unwrap_err());
            let bytes = format!("{:?}", "SECRET".as_bytes());
            assert!(fault.contains(word), "{text}: {fault}");
            assert!(!fault.contains("SECRET") && !fault.contains(bytes.trim_matches(['[', ']'])), "{text}: {fault}");
        }
    }
}
