//! What a certificate says of the roots that come along with it.
//!
//! Who has stolen sentry's own certificate could pass requests on to sentry, and roots of his own back with its answers. So the key of
//! the authority, which he has not, answers for the roots: each certificate that it signs holds their digest.
use aws_lc_rs::digest::{Context, SHA256};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::der_parser::Oid;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The extension with the digest, which others pass over (RFC 5280, section 4.2). Below 2.25 names need no registration (ITU-T X.667). Go
/// refuses certificates with a part of a name that has more than 31 bits.
pub const ROOTS_EXTENSION: &[u64] = &[2, 25, 1_835_872_003];
/// Tag and length of the digest, an OCTET STRING (X.690, section 8.7).
const HEAD: [u8; 2] = [0x04, 0x20];

/// The content of the extension for roots in PEM. Texts around them do not count.
pub fn announcement(roots: &[u8]) -> Vec<u8> {
    let mut digest = Context::new(&SHA256);
    CertificateDer::pem_slice_iter(roots).flatten().for_each(|root| digest.update(&root));
    [&HEAD, digest.finish().as_ref()].concat()
}

/// Whether a certificate says that these are the roots.
pub(crate) fn announces(leaf: &CertificateDer<'_>, roots: &[u8]) -> bool {
    let Ok(name) = Oid::from(ROOTS_EXTENSION) else { return false };
    let Ok((_, leaf)) = X509Certificate::from_der(leaf) else { return false };
    let extension = leaf.get_extension_unique(&name).ok().flatten();
    extension.is_some_and(|extension| extension.value == announcement(roots))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, CustomExtension, KeyPair};

    fn certificate(extension: Option<Vec<u8>>) -> rcgen::Certificate {
        let mut params = CertificateParams::default();
        let extension = extension.map(|content| CustomExtension::from_oid_content(ROOTS_EXTENSION, content));
        params.custom_extensions = extension.into_iter().collect();
        params.self_signed(&KeyPair::generate().unwrap()).unwrap()
    }

    #[test]
    fn roots_count_that_the_certificate_beside_them_names() {
        let (first, second) = (certificate(None).pem(), certificate(None).pem());
        let both = format!("{first}{second}");
        let leaf = certificate(Some(announcement(both.as_bytes())));
        assert!(announces(leaf.der(), both.as_bytes()));
        assert!(announces(leaf.der(), format!("{first}\n\n{second}").as_bytes()));
        for others in [&first, &second, &format!("{second}{first}"), &format!("{both}{first}")] {
            assert!(!announces(leaf.der(), others.as_bytes()));
        }
    }

    #[test]
    fn go_can_read_the_name() {
        assert!(ROOTS_EXTENSION.iter().all(|part| i32::try_from(*part).is_ok()));
    }

    #[test]
    fn a_certificate_without_a_word_of_roots_announces_none() {
        let root = certificate(None);
        assert!(!announces(root.der(), root.pem().as_bytes()));
        assert!(!announces(&vec![0; 9].into(), root.pem().as_bytes()));
    }
}
