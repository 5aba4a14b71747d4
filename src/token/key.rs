//! A KEK in a token: how it is made, when an administrator's may be adopted, and how it is told from another of its name.

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use crate::algorithm::Algorithm;
use crate::error::TokenError;

/// Names a KEK; random, not secret.
pub type KekId = [u8; 16];

/// A KEK as those who wrap with it know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kek {
    /// Its name in what it wraps.
    pub id: KekId,
    /// Its name in the token.
    pub label: String,
    /// How it wraps.
    pub algorithm: Algorithm,
    /// The canary: bytes that follow from the id, wrapped by it when it was made or adopted. Label, id and serial number
    /// prove nothing; to open this does.
    pub canary: Vec<u8>,
}

/// The attributes of a new KEK: it never leaves the token, cannot be changed, and can do one thing. A key that may both wrap and
/// decrypt would give away whatever it wraps.
pub(crate) fn make(
    session: &Session,
    label: &str,
    id: &KekId,
    algorithm: Algorithm,
) -> Result<(), TokenError> {
    let mut template = vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Modifiable(false),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Id(id.to_vec()),
        Attribute::ValueLen(32.into()),
        Attribute::Wrap(false),
        Attribute::Unwrap(false),
        Attribute::Derive(false),
        Attribute::Verify(false),
    ];
    let (mechanism, allowed) = match algorithm {
        Algorithm::AesGcm => {
            template.extend([
                Attribute::KeyType(KeyType::AES),
                Attribute::Encrypt(true),
                Attribute::Decrypt(true),
                Attribute::Sign(false),
            ]);
            (Mechanism::AesKeyGen, MechanismType::AES_GCM)
        }
        Algorithm::HmacKdf => {
            template.extend([
                Attribute::KeyType(KeyType::GENERIC_SECRET),
                Attribute::Encrypt(false),
                Attribute::Decrypt(false),
                Attribute::Sign(true),
            ]);
            (Mechanism::GenericSecretKeyGen, MechanismType::SHA256_HMAC)
        }
    };
    template.push(Attribute::AllowedMechanisms(vec![allowed]));
    // What not every token knows or lets be set is left out at last: the key still cannot leave, and does one thing.
    for dispensable in [None, Some(AttributeType::AllowedMechanisms), Some(AttributeType::Modifiable)] {
        template.retain(|attribute| Some(attribute.attribute_type()) != dispensable);
        match session.generate_key(&mechanism, &template) {
            Err(Error::Pkcs11(error, _)) if is_about_an_attribute(error) => {}
            made => return made.map(drop).map_err(TokenError::from),
        }
    }
    let why =
        "the token makes no key of the attributes that a KEK must have: have its administrator make one";
    Err(TokenError::KeyUnfit { label: label.to_owned(), why: why.to_owned() })
}

fn is_about_an_attribute(error: RvError) -> bool {
    matches!(
        error,
        RvError::AttributeTypeInvalid
            | RvError::AttributeValueInvalid
            | RvError::AttributeReadOnly
            | RvError::TemplateInconsistent
    )
}

/// The one key of this label.
pub(crate) fn find(session: &Session, label: &str) -> Result<ObjectHandle, TokenError> {
    let template = [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Label(label.as_bytes().to_vec())];
    match session.find_objects(&template)?.as_slice() {
        [] => Err(TokenError::KeyMissing { label: label.to_owned() }),
        [key] => Ok(*key),
        keys => Err(TokenError::KeyAmbiguous { label: label.to_owned(), count: keys.len() }),
    }
}

/// Whether a key that is there may serve: what the token tells of it must not speak against it.
pub(crate) fn check(
    session: &Session,
    key: ObjectHandle,
    label: &str,
    algorithm: Algorithm,
) -> Result<(), TokenError> {
    let told = [
        AttributeType::Sensitive,
        AttributeType::Extractable,
        AttributeType::KeyType,
        AttributeType::ValueLen,
        AttributeType::Wrap,
        AttributeType::Unwrap,
    ];
    let mut attributes = Vec::new();
    for one in told {
        // One by one: a token may not know them all.
        attributes.extend(session.get_attributes(key, &[one])?);
    }
    unfit(&attributes, algorithm)
        .map_or(Ok(()), |why| Err(TokenError::KeyUnfit { label: label.to_owned(), why }))
}

/// What speaks against a key with these attributes. Pure.
pub(crate) fn unfit(attributes: &[Attribute], algorithm: Algorithm) -> Option<String> {
    let types: &[KeyType] = match algorithm {
        Algorithm::AesGcm => &[KeyType::AES],
        Algorithm::HmacKdf => &[KeyType::GENERIC_SECRET, KeyType::SHA256_HMAC],
    };
    attributes.iter().find_map(|attribute| match attribute {
        Attribute::Sensitive(false) => Some("CKA_SENSITIVE is false: whoever logs in can read it".to_owned()),
        Attribute::Extractable(true) => Some("CKA_EXTRACTABLE is true: it can leave the token".to_owned()),
        Attribute::Wrap(true) | Attribute::Unwrap(true) if algorithm == Algorithm::AesGcm => {
            Some("it may wrap keys as well as decrypt, which gives away what it wraps".to_owned())
        }
        Attribute::KeyType(found) if !types.contains(found) => {
            Some(format!("CKA_KEY_TYPE is {found}, which does not fit {algorithm}"))
        }
        Attribute::ValueLen(len) if **len < 32 => Some(format!("it has {} bytes, not 32", **len)),
        _ => None,
    })
}
