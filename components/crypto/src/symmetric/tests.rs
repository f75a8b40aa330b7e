//! Vectors of the standards.
use super::{decrypt, encrypt};
use bytes::Bytes;
use component_api::crypto::{DecryptRequest, EncryptRequest};

struct Vector {
    algorithm: &'static str,
    key: &'static str,
    nonce: &'static str,
    associated_data: &'static str,
    plaintext: &'static str,
    ciphertext: &'static str,
    tag: &'static str,
}

const COUNTED_KEY: &str = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f";
const NIST_BLOCK: &str = "6bc1bee22e409f96e93d7e117393172a";
const NIST_VECTOR: &str = "000102030405060708090a0b0c0d0e0f";
const SUNSCREEN: &str = "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a204966204920636f756c64206f\
    6666657220796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73637265656e20776f756c642062652069742e";

/// NIST SP 800-38A F.2 (with and without padding), the GCM specification, and draft-irtf-cfrg-xchacha-03, A.3.1.
const VECTORS: &[Vector] = &[
    Vector {
        algorithm: "A128CBC",
        key: "2b7e151628aed2a6abf7158809cf4f3c",
        nonce: NIST_VECTOR,
        associated_data: "",
        plaintext: NIST_BLOCK,
        ciphertext: "7649abac8119b246cee98e9b12e9197d8964e0b149c10b7b682e6e39aaeb731c",
        tag: "",
    },
    Vector {
        algorithm: "A192CBC-NOPAD",
        key: "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
        nonce: NIST_VECTOR,
        associated_data: "",
        plaintext: NIST_BLOCK,
        ciphertext: "4f021db243bc633d7178183a9fa071e8",
        tag: "",
    },
    Vector {
        algorithm: "A256CBC",
        key: "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
        nonce: NIST_VECTOR,
        associated_data: "",
        plaintext: NIST_BLOCK,
        ciphertext: "f58c4c04d6e5f1ba779eabfb5f7bfbd6485a5c81519cf378fa36d42b8547edc0",
        tag: "",
    },
    Vector {
        algorithm: "A256GCM",
        key: "0000000000000000000000000000000000000000000000000000000000000000",
        nonce: "000000000000000000000000",
        associated_data: "",
        plaintext: "",
        ciphertext: "",
        tag: "530f8afbc74536b9a963b4f1c4cb738b",
    },
    Vector {
        algorithm: "C20P",
        key: COUNTED_KEY,
        nonce: "070000004041424344454647",
        associated_data: "",
        plaintext: "",
        ciphertext: "",
        tag: "a0784d7a4716f3feb4f64e7f4b39bf04",
    },
    Vector {
        algorithm: "XC20P",
        key: COUNTED_KEY,
        nonce: "404142434445464748494a4b4c4d4e4f5051525354555657",
        associated_data: "50515253c0c1c2c3c4c5c6c7",
        plaintext: SUNSCREEN,
        ciphertext: "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c670\
            8c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e",
        tag: "c0875924c1c7987947deafd8780acf49",
    },
    // RFC 7518, B.1; B.2 and B.3 have longer keys and the same text.
    Vector {
        algorithm: "A128CBC-HS256",
        key: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        nonce: "1af38c2dc2b96ffdd86694092341bc04",
        associated_data: "546865207365636f6e64207072696e6369706c65206f662041756775737465204b6572636b686f666673",
        plaintext: "41206369706865722073797374656d206d757374206e6f7420626520726571756972656420746f206265207365637265742c20\
            616e64206974206d7573742062652061626c6520746f2066616c6c20696e746f207468652068616e6473206f662074686520656e656d7920\
            776974686f757420696e636f6e76656e69656e6365",
        ciphertext: "c80edfa32ddf39d5ef00c0b468834279a2e46a1b8049f792f76bfe54b903a9c9a94ac9b47ad2655c5f10f9aef71427e2fc6f9b3f\
            399a221489f16362c703233609d45ac69864e3321cf82935ac4096c86e133314c54019e8ca7980dfa4b9cf1b384c486f3a54c51078158ee5\
            d79de59fbd34d848b3d69550a67646344427ade54b8851ffb598f7f80074b9473c82e2db",
        tag: "652c3fa36b0a7c5b3219fab3a30bc1c4",
    },
];

#[test]
fn vectors() {
    for vector in VECTORS {
        let request = EncryptRequest {
            key: String::new(),
            algorithm: vector.algorithm.to_owned(),
            plaintext: bytes(vector.plaintext),
            nonce: bytes(vector.nonce),
            associated_data: bytes(vector.associated_data),
        };
        let encrypted = encrypt(&bytes(vector.key), &request).unwrap();
        let expected = (bytes(vector.ciphertext), bytes(vector.tag));
        assert_eq!((&encrypted.ciphertext, &encrypted.tag), (&expected.0, &expected.1), "{}", vector.algorithm);
        let request = DecryptRequest {
            key: String::new(),
            algorithm: request.algorithm,
            ciphertext: encrypted.ciphertext,
            nonce: request.nonce,
            tag: encrypted.tag,
            associated_data: request.associated_data,
        };
        assert_eq!(decrypt(&bytes(vector.key), &request).unwrap(), bytes(vector.plaintext));
    }
}

fn bytes(hex: &str) -> Bytes {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect::<Vec<_>>().into()
}
