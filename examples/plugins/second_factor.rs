//! The plugin `second-factor`: whoever orders sets a code, and nothing is released without it.
//!
//! `extension.code` of the order does not leave the principal's node: the order holds its hash, bound to the order's reference. The
//! redemption brings the code, and the fiduciary's node compares. A principal's node that is broken into cannot redeem alone.

use dta_plugins::{Ask, Given, Order, Placing, Plugin, Redemption, Refusal};
use sha2::{Digest as _, Sha256};

/// Characters of a code, at least: its hash is known to the fiduciary, who must not be able to guess it.
const CODE_CHARS_MIN: usize = 12;

/// The plugin.
pub struct SecondFactor;

impl Plugin for SecondFactor {
    fn name(&self) -> &'static str {
        "second-factor"
    }

    fn about(&self) -> &'static str {
        "a redemption needs the code that was set with the order"
    }

    fn place(&self, ask: &Ask<'_>, _: &mut Given<'_>) -> Result<Placing, Refusal> {
        let code = ask.extension.get("code").ok_or_else(|| Refusal::missing("code"))?;
        let chars = code.chars().count();
        if chars < CODE_CHARS_MIN {
            let text = format!("extension.code: has {chars} characters, at least {CODE_CHARS_MIN}");
            return Err(Refusal::new(text));
        }
        let extension = [("codeHash".to_owned(), hash(ask.reference, code))].into();
        Ok(Placing { coin: 0, extension })
    }

    fn accept(&self, order: &Order) -> Result<(), Refusal> {
        match order.extension.get("codeHash") {
            Some(hash) if hash.len() == 64 => Ok(()),
            _ => Err(Refusal::missing("codeHash")),
        }
    }

    fn permit(&self, order: &Order, redemption: &Redemption<'_>) -> Result<(), Refusal> {
        let code = redemption.extension.get("code").ok_or_else(|| Refusal::missing("code"))?;
        if order.extension.get("codeHash") == Some(&hash(&order.reference, code)) {
            Ok(())
        } else {
            Err(Refusal::new("extension.code: is not the one that was set with the order"))
        }
    }
}

fn hash(reference: &str, code: &str) -> String {
    hex::encode(Sha256::new().chain_update(reference).chain_update([0]).chain_update(code).finalize())
}

#[cfg(test)]
mod tests {
    use dta_plugins::{Extension, Party, Private, PublicPoint};

    use super::*;

    const REFERENCE: &str = "018b2f19-e79e-7d6a-a56d-29feb6211b04";

    fn somebody() -> Party {
        let key = dta_crypto::OrderKey::from_secret(dta_crypto::Secret::from_bytes([7; 32])).unwrap();
        Party { cid: [1; 36], key: PublicPoint::of(&key) }
    }

    fn placed(extension: Extension) -> Result<Placing, Refusal> {
        struct Zeros;
        impl dta_crypto::Entropy for Zeros {
            fn fill(&mut self, bytes: &mut [u8]) {
                bytes.fill(0);
            }
        }
        let key = dta_crypto::Secret::from_bytes([9; 32]);
        let (ask, who) = (Private::new(extension), somebody());
        let ask =
            Ask { reference: REFERENCE, principal: who, fiduciary: who, beneficiary: None, extension: &ask };
        SecondFactor.place(&ask, &mut Given { node: who.key, key: &key, entropy: &mut Zeros })
    }

    fn order(extension: Extension) -> Order {
        let who = somebody();
        Order {
            reference: REFERENCE.to_owned(),
            principal: who,
            fiduciary: who,
            beneficiary: None,
            coin: 0,
            extension,
            commitment: None,
            committed: Extension::new(),
        }
    }

    fn texts(name: &str, text: &str) -> Extension {
        [(name.to_owned(), text.to_owned())].into()
    }

    #[test]
    fn the_code_itself_stays_and_only_it_redeems() {
        let order = order(placed(texts("code", "twelve chars")).unwrap().extension);
        assert!(!order.extension.values().any(|text| text.contains("twelve")));
        SecondFactor.accept(&order).unwrap();
        let permit = |extension: Extension| {
            let redemption = Redemption { beneficiary: somebody(), extension: &extension };
            SecondFactor.permit(&order, &redemption).map_err(|refusal| refusal.to_string())
        };
        assert_eq!(permit(texts("code", "twelve chars")), Ok(()));
        assert!(permit(texts("code", "Twelve chars")).unwrap_err().contains("not the one"));
        assert!(permit(Extension::new()).unwrap_err().contains("missing"));
    }

    #[test]
    fn an_order_without_a_code_that_holds_is_none() {
        assert!(placed(Extension::new()).unwrap_err().to_string().contains("missing"));
        assert!(placed(texts("code", "too short")).unwrap_err().to_string().contains("at least 12"));
        for extension in [Extension::new(), texts("codeHash", "00")] {
            assert!(SecondFactor.accept(&order(extension)).is_err());
        }
    }
}
