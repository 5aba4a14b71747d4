//! What is wrapped and under which KEKs: every use of cryptography in a store, but for the KEKs' own.
//!
//! A seed is wrapped with the key that it makes, so that a release waits for no derivation, under every KEK in use; any of them opens
//! it. A wrapping is bound to domain, node, order, purpose, KEK and commitment, so that none serves for another order, node or key.

use dta_crypto::at_rest::{open_at_rest, seal_at_rest};
use dta_crypto::{Entropy, OrderKey, Secret, SecretBytes};
use dta_token::TokenError;

use super::header::{Header, KEKS_MAX};
use super::slot::{Wrapped, Wrapping};
use crate::actors::seeds::kek::{Kek, KekEntry, KekId, Keks, Role};
use crate::actors::seeds::{CidBytes, Commitment, SeedError};

const DOMAIN: &[u8] = b"milagro-dta/v1/seed-store\0";
const PURPOSE_ORDER: &[u8] = b"order\0";
const PURPOSE_HEADER: &[u8] = b"header\0";

/// A store's KEKs and its header.
pub struct Vault {
    /// As it stands in every copy.
    pub header: Header,
    keks: Keks,
    open: Vec<Open>,
    node: CidBytes,
}

/// A KEK of the header, with what was last seen of it.
struct Open {
    id: KekId,
    kek: Box<dyn Kek>,
    trouble: Option<TokenError>,
}

/// A seed with its key, unwrapped: 64 bytes.
struct Pair(SecretBytes);

impl Vault {
    /// A new store, with the KEKs that the settings want.
    pub fn create(
        keks: Keks,
        node: &CidBytes,
        others: &[KekEntry],
        entropy: &mut dyn Entropy,
    ) -> Result<Self, SeedError> {
        let store_id = random(entropy);
        let header = Header { store_id, version: 0, keks: Vec::new(), seal: [0; 28] };
        let mut vault = Self { header, keks, open: Vec::new(), node: *node };
        let made = vault.complete(others, entropy)?.unwrap_or_else(|| vault.header.clone());
        vault.take(made)?;
        Ok(vault)
    }

    /// Whether a header is of this node's store.
    pub fn is_of(header: &Header, keks: &Keks, node: &CidBytes) -> bool {
        check_seal(header, keks, node).is_ok()
    }

    /// Unlocks a store.
    /// Errors: `Locked` if node seed or identity are not those it was made with.
    pub fn unlock(header: Header, keks: Keks, node: &CidBytes) -> Result<Self, SeedError> {
        check_seal(&header, &keks, node)?;
        let nothing = Header { keks: Vec::new(), ..header.clone() };
        let mut vault = Self { header: nothing, keks, open: Vec::new(), node: *node };
        vault.take(header)?;
        Ok(vault)
    }

    /// A header with a KEK for each role that the settings want and this one lacks; none if it lacks none. A KEK that is where
    /// the settings no longer want it is retired. No key of `others`, of other stores, is taken up.
    pub fn complete(
        &self,
        others: &[KekEntry],
        entropy: &mut dyn Entropy,
    ) -> Result<Option<Header>, SeedError> {
        let in_use = self.in_use();
        let mut keks = self.header.keks.clone();
        for kek in &mut keks {
            if kek.role != Role::Retired && !self.keks.wants(kek) {
                kek.role = Role::Retired;
            }
        }
        for role in self.keks.roles() {
            if keks.iter().any(|kek| kek.role == *role) {
                continue;
            }
            // One that moves from second to first, as when the first HSM is given up; never one that was given up before.
            let here = |kek: &&mut KekEntry| {
                kek.role == Role::Retired
                    && in_use.contains(&kek.id)
                    && self.keks.wants(&KekEntry { role: *role, ..(*kek).clone() })
            };
            match keks.iter_mut().find(here) {
                Some(kek) => kek.role = *role,
                None => {
                    // Before a key is made that no header could name.
                    if keks.len() == KEKS_MAX {
                        return Err(SeedError::ManyKeks { limit: KEKS_MAX });
                    }
                    let taken: Vec<&KekEntry> = keks.iter().chain(others).collect();
                    let label = self.keks.first_label(*role, &taken, self.next_version());
                    let made = self.keks.make(*role, label.as_deref(), &taken, &self.bound_to(), entropy)?;
                    keks.push(made);
                }
            }
        }
        if keks == self.header.keks { Ok(None) } else { self.with(keks, entropy).map(Some) }
    }

    /// A header with a new KEK in this role; the one it replaces is retired. No key of `others`, of other stores, is taken up.
    pub fn rotate(
        &self,
        role: Role,
        label: Option<&str>,
        others: &[KekEntry],
        entropy: &mut dyn Entropy,
    ) -> Result<Header, SeedError> {
        if !self.keks.roles().contains(&role) {
            return Err(SeedError::NoKek { role: role.as_str() });
        }
        let mut keks = self.header.keks.clone();
        let label = label.map(str::to_owned).or_else(|| self.keks.next_label(role, self.next_version()));
        if keks.len() == KEKS_MAX {
            return Err(SeedError::ManyKeks { limit: KEKS_MAX });
        }
        let taken: Vec<&KekEntry> = self.header.keks.iter().chain(others).collect();
        let made = self.keks.make(role, label.as_deref(), &taken, &self.bound_to(), entropy)?;
        keks.iter_mut().filter(|kek| kek.role == role).for_each(|kek| kek.role = Role::Retired);
        keks.push(made);
        self.with(keks, entropy)
    }

    /// A header without these KEKs.
    pub fn without(&self, gone: &[KekId], entropy: &mut dyn Entropy) -> Result<Header, SeedError> {
        let keks = self.header.keks.iter().filter(|kek| !gone.contains(&kek.id)).cloned().collect();
        self.with(keks, entropy)
    }

    /// Works with this header from now on: it stands in every copy.
    pub fn take(&mut self, header: Header) -> Result<(), SeedError> {
        let mut open = Vec::with_capacity(header.keks.len());
        for entry in &header.keks {
            match self.open.iter().position(|open| open.id == entry.id) {
                Some(at) => open.push(self.open.swap_remove(at)),
                None => {
                    let kek = self.keks.open(entry, &bound_to(&self.node, &header.store_id))?;
                    open.push(Open { id: entry.id, kek, trouble: None });
                }
            }
        }
        self.header = header;
        self.open = open;
        Ok(())
    }

    fn with(&self, keks: Vec<KekEntry>, entropy: &mut dyn Entropy) -> Result<Header, SeedError> {
        if keks.len() > KEKS_MAX {
            return Err(SeedError::ManyKeks { limit: KEKS_MAX });
        }
        let header = Header { version: self.next_version(), keks, ..self.header.clone() };
        let nonce: [u8; 12] = random(entropy);
        let tag = seal_at_rest(self.keks.header_key(), &nonce, &header_aad(&header, &self.node), &[]);
        let mut seal = [0; 28];
        seal[..12].copy_from_slice(&nonce);
        seal[12..].copy_from_slice(&tag); // an empty plaintext leaves the tag alone: 16 bytes
        Ok(Header { seal, ..header })
    }

    fn next_version(&self) -> u32 {
        self.header.version.saturating_add(1)
    }

    fn bound_to(&self) -> Vec<u8> {
        bound_to(&self.node, &self.header.store_id)
    }

    /// The KEKs that wrap new seeds, the first first.
    pub fn in_use(&self) -> Vec<KekId> {
        let mut keks: Vec<_> = self.header.keks.iter().filter(|kek| kek.role != Role::Retired).collect();
        keks.sort_by_key(|kek| kek.role);
        keks.iter().map(|kek| kek.id).collect()
    }

    /// What was last seen wrong with a KEK.
    pub fn trouble(&self, id: &KekId) -> Option<&TokenError> {
        self.open.iter().find(|open| open.id == *id).and_then(|open| open.trouble.as_ref())
    }

    /// The first role whose KEK is not where the settings want it, or which they do not know.
    pub fn amiss(&self) -> Option<Role> {
        let in_use = || self.header.keks.iter().filter(|kek| kek.role != Role::Retired);
        let lacks = |role: &&Role| !in_use().any(|kek| kek.role == **role);
        let unwanted = in_use().find(|kek| !self.keks.wants(kek)).map(|kek| kek.role);
        unwanted.or(self.keks.roles().iter().find(lacks).copied())
    }

    /// Asks every KEK whether it is there, and remembers.
    pub fn check(&mut self) {
        for open in &mut self.open {
            open.trouble = open.kek.check().err();
        }
    }

    /// Whether new seeds can be wrapped; asks those KEKs again that were last seen in trouble.
    pub fn ready(&mut self) -> Result<(), SeedError> {
        if let Some(role) = self.amiss() {
            return Err(SeedError::NoKek { role: role.as_str() });
        }
        for id in self.in_use() {
            let Some(open) = self.open.iter_mut().find(|open| open.id == id) else { continue };
            if open.trouble.is_some() {
                open.trouble = open.kek.check().err();
            }
            if let Some(trouble) = &open.trouble {
                return Err(trouble.clone().into());
            }
        }
        Ok(())
    }

    /// New seeds for these orders, wrapped, with the keys they make.
    pub fn make(
        &mut self,
        orders: &[CidBytes],
        entropy: &mut dyn Entropy,
    ) -> Vec<Result<(Wrapped, OrderKey), SeedError>> {
        let mut pairs = Vec::with_capacity(orders.len());
        let mut keys = Vec::with_capacity(orders.len());
        for placed in orders {
            let seed = Secret::<32>::random(entropy);
            let key = OrderKey::from_seed(&seed);
            pairs.push((*placed, key.commitment(), Pair::of(&seed, &key)));
            keys.push(key);
        }
        let wrapped = self.wrap(pairs, 0, entropy);
        wrapped.into_iter().zip(keys).map(|(wrapped, key)| Ok((wrapped?, key))).collect()
    }

    /// The same seeds, wrapped anew under the KEKs that are in use now.
    pub fn rewrap(
        &mut self,
        wrapped: &[Wrapped],
        entropy: &mut dyn Entropy,
    ) -> Vec<Result<Wrapped, SeedError>> {
        let opened = self.unwrap(wrapped);
        let mut again = Vec::with_capacity(wrapped.len());
        for (old, pair) in wrapped.iter().zip(opened) {
            let made = pair.and_then(|pair| pair.key(&old.commitment).map(|_| pair)).and_then(|pair| {
                let one = vec![(old.placed, old.commitment, pair)];
                let generation = old.generation.saturating_add(1);
                self.wrap(one, generation, entropy).pop().unwrap_or(Err(SeedError::Stopped))
            });
            again.push(made);
        }
        again
    }

    fn wrap(
        &mut self,
        pairs: Vec<(CidBytes, Commitment, Pair)>,
        generation: u32,
        entropy: &mut dyn Entropy,
    ) -> Vec<Result<Wrapped, SeedError>> {
        let mut results: Vec<Result<Wrapped, SeedError>> = pairs
            .iter()
            .map(|(placed, commitment, _)| {
                let wrappings = Vec::new();
                Ok(Wrapped { placed: *placed, commitment: *commitment, generation, wrappings })
            })
            .collect();
        for id in self.in_use() {
            let jobs = pairs
                .iter()
                .map(|(placed, commitment, pair)| {
                    (
                        order_aad(&self.node, placed, &id, commitment),
                        SecretBytes::new(pair.0.expose().to_vec()),
                    )
                })
                .collect();
            let Some(open) = self.open.iter_mut().find(|open| open.id == id) else {
                return pairs.iter().map(|_| Err(SeedError::conflict("a KEK in use is not open"))).collect();
            };
            for (result, bytes) in results.iter_mut().zip(open.kek.wrap(jobs, entropy)) {
                match bytes {
                    Ok(bytes) => {
                        open.trouble = None;
                        if let Ok(wrapped) = result {
                            wrapped.wrappings.push(Wrapping { kek: id, bytes });
                        }
                    }
                    Err(error) => {
                        open.trouble = Some(error.clone());
                        *result = Err(error.into());
                    }
                }
            }
        }
        results
    }

    /// Unwraps the keys that seeds made. They are not derived again, which takes more than a millisecond; each was sealed together
    /// with its seed.
    /// Errors: `Conflict` unless a key is the one whose commitment stands in the slot; `Token` if no KEK that could open it
    /// is there.
    pub fn open(&mut self, wrapped: &[Wrapped]) -> Vec<Result<OrderKey, SeedError>> {
        let opened = self.unwrap(wrapped);
        opened.into_iter().zip(wrapped).map(|(pair, of)| pair?.key(&of.commitment)).collect()
    }

    /// As [`Vault::open`], for one.
    pub fn open_one(&mut self, wrapped: &Wrapped) -> Result<OrderKey, SeedError> {
        self.open(std::slice::from_ref(wrapped)).pop().unwrap_or(Err(SeedError::Stopped))
    }

    /// As [`Vault::open`], and each seed makes the key beside it.
    pub fn verify(&mut self, wrapped: &[Wrapped]) -> Vec<Result<(), SeedError>> {
        let opened = self.unwrap(wrapped);
        let check = |(pair, of): (Result<Pair, SeedError>, &Wrapped)| {
            let pair = pair?;
            pair.key(&of.commitment)?;
            pair.derives(&of.commitment)
        };
        opened.into_iter().zip(wrapped).map(check).collect()
    }

    /// Each by the first of its KEKs that opens it.
    fn unwrap(&mut self, wrapped: &[Wrapped]) -> Vec<Result<Pair, SeedError>> {
        let mut results: Vec<Result<Pair, Option<TokenError>>> = wrapped.iter().map(|_| Err(None)).collect();
        let mut ranked: Vec<_> = self.header.keks.iter().map(|kek| (kek.role, kek.id)).collect();
        // Where the last call failed comes last: nobody should wait for a dead token while another is there.
        ranked.sort_by_key(|(role, id)| (self.trouble(id).is_some(), *role));
        for (_, id) in ranked {
            let of = |of: &Wrapped| of.wrappings.iter().find(|wrapping| wrapping.kek == id).cloned();
            let todo: Vec<(usize, Wrapping)> = (0..wrapped.len())
                .filter(|n| results[*n].is_err())
                .filter_map(|n| Some((n, of(&wrapped[n])?)))
                .collect();
            if todo.is_empty() {
                continue;
            }
            let jobs = todo
                .iter()
                .map(|(n, wrapping)| {
                    let Wrapped { placed, commitment, .. } = &wrapped[*n];
                    (order_aad(&self.node, placed, &id, commitment), wrapping.bytes.clone())
                })
                .collect();
            let Some(open) = self.open.iter_mut().find(|open| open.id == id) else { continue };
            for ((n, _), answer) in todo.into_iter().zip(open.kek.unwrap(jobs)) {
                match answer {
                    Ok(opened) => {
                        open.trouble = None;
                        results[n] = Ok(Pair(opened));
                    }
                    Err(TokenError::Refused) => {
                        open.trouble = None;
                        // Another KEK may still open it; that one is away says more than that another refuses.
                        if !matches!(results[n], Err(Some(_))) {
                            results[n] = Err(Some(TokenError::Refused));
                        }
                    }
                    Err(error) => {
                        open.trouble = Some(error.clone());
                        results[n] = Err(Some(error));
                    }
                }
            }
        }
        let told = |result: Result<Pair, Option<TokenError>>| {
            result.map_err(|error| match error {
                None => SeedError::conflict("a seed is wrapped under none of this store's KEKs"),
                Some(TokenError::Refused) => {
                    SeedError::conflict("a sealed seed is not of its order, node, commitment and KEK")
                }
                Some(error) => error.into(),
            })
        };
        results.into_iter().map(told).collect()
    }
}

impl Pair {
    fn of(seed: &Secret<32>, key: &OrderKey) -> Self {
        // Of its exact length from the start: growing would leave an unwiped copy.
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(seed.expose());
        bytes.extend_from_slice(key.secret().expose());
        Self(SecretBytes::new(bytes))
    }

    /// The key, if it is the one of this commitment.
    fn key(&self, commitment: &Commitment) -> Result<OrderKey, SeedError> {
        let halves: Option<(&[u8; 32], &[u8])> = self.0.expose().split_first_chunk();
        halves
            .and_then(|(_, key)| <&[u8; 32]>::try_from(key).ok())
            .and_then(|key| OrderKey::from_secret(Secret::build(|to| to.copy_from_slice(key))).ok())
            .filter(|key| key.commitment() == *commitment)
            .ok_or_else(|| SeedError::conflict("a seed makes another key than its commitment"))
    }

    /// Whether the seed makes it, derived again.
    fn derives(&self, commitment: &Commitment) -> Result<(), SeedError> {
        let seed = self.0.expose().get(..32).unwrap_or_default();
        let derived = OrderKey::from_entropy(seed).is_ok_and(|key| key.commitment() == *commitment);
        if derived {
            Ok(())
        } else {
            Err(SeedError::conflict("a seed makes another key than its commitment"))
        }
    }
}

fn check_seal(header: &Header, keks: &Keks, node: &CidBytes) -> Result<(), SeedError> {
    let (nonce, tag) = header.seal.split_first_chunk().ok_or(SeedError::Locked)?;
    let opened = open_at_rest(keks.header_key(), nonce, &header_aad(header, node), tag);
    opened.map(drop).map_err(|_| SeedError::Locked)
}

fn header_aad(header: &Header, node: &CidBytes) -> Vec<u8> {
    [DOMAIN, PURPOSE_HEADER, node, &header.sealed()].concat()
}

fn bound_to(node: &CidBytes, store_id: &[u8; 16]) -> Vec<u8> {
    [node.as_slice(), store_id].concat()
}

fn order_aad(node: &CidBytes, placed: &CidBytes, kek: &KekId, commitment: &Commitment) -> Vec<u8> {
    [DOMAIN, PURPOSE_ORDER, node, placed, kek, commitment].concat()
}

fn random<const N: usize>(entropy: &mut dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}
