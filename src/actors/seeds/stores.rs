//! Every store of a node: new seeds go to the default one, and a seed that is there is found wherever it is.

use std::collections::HashMap;

use dta_crypto::{Entropy, OrderKey};

use super::kek::Role;
use super::{CidBytes, KekStatus, SeedError, SeedListed, SeedStatus, SeedStore};

/// A name that no order has: whoever can say that it has no seed could say so of any order.
const NO_ORDER: CidBytes = [0; 36];

/// One store or several, each with the name that the settings give it.
pub struct Stores {
    default: Named,
    others: Vec<Named>,
}

/// A store with its name.
pub struct Named {
    /// As in the settings.
    pub name: String,
    /// The store.
    pub store: Box<dyn SeedStore>,
}

/// What can be told of a store among others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreStatus {
    /// As in the settings.
    pub name: String,
    /// Whether new seeds go there.
    pub default: bool,
    /// The store's own.
    pub of: SeedStatus,
}

type Keys = Vec<Result<OrderKey, SeedError>>;

impl Stores {
    /// New seeds go to `default`.
    pub fn new(default: Named, others: Vec<Named>) -> Self {
        Self { default, others }
    }

    /// A single store.
    pub fn one(store: impl SeedStore + 'static) -> Self {
        Self::new(Named { name: "main".to_owned(), store: Box::new(store) }, Vec::new())
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Named> {
        std::iter::once(&mut self.default).chain(&mut self.others)
    }

    /// The store of this number, the default one first; none behind the last.
    pub(super) fn at(&mut self, number: usize) -> Option<&mut dyn SeedStore> {
        match self.all().nth(number) {
            Some(named) => Some(&mut *named.store),
            None => None,
        }
    }

    /// [`SeedStore::create`]: in the default store, unless another has the order's seed already. One that cannot say that it has
    /// none stands in the way: an order must not get two.
    pub fn create(&mut self, orders: &[CidBytes], entropy: &mut dyn Entropy) -> Keys {
        if self.others.is_empty() {
            return self.default.store.create(orders, entropy);
        }
        let found = orders.iter().map(|placed| Ok(self.find(placed)?.unwrap_or(0))).collect();
        self.each(orders, found, |store, orders| store.create(orders, entropy))
    }

    /// [`SeedStore::open`].
    pub fn open(&mut self, orders: &[CidBytes]) -> Keys {
        if self.others.is_empty() {
            return self.default.store.open(orders);
        }
        let found = orders.iter().map(|placed| self.find(placed)?.ok_or(SeedError::NotFound)).collect();
        self.each(orders, found, |store, orders| store.open(orders))
    }

    /// [`SeedStore::shred`].
    ///
    /// # Errors
    /// As there.
    pub fn shred(&mut self, placed: &CidBytes) -> Result<(), SeedError> {
        if self.others.is_empty() {
            return self.default.store.shred(placed);
        }
        let found = self.find(placed)?.ok_or(SeedError::NotFound)?;
        self.at(found).map_or(Err(SeedError::NotFound), |store| store.shred(placed))
    }

    /// [`SeedStore::ready`]: the default store is, and the others could say that they have no seed for an order.
    ///
    /// # Errors
    /// As there.
    pub fn ready(&mut self) -> Result<(), SeedError> {
        self.default.store.ready()?;
        self.others.iter_mut().try_for_each(|named| named.store.holds(&NO_ORDER).map(drop))
    }

    /// [`SeedStore::check`].
    pub fn check(&mut self) {
        self.all().for_each(|named| named.store.check());
    }

    /// [`SeedStore::rotate`], in the store of this name; it need not be said if there is only one.
    ///
    /// # Errors
    /// As there; `NoStore`, `WhichStore`.
    pub fn rotate(
        &mut self,
        store: Option<&str>,
        role: Role,
        label: Option<&str>,
        entropy: &mut dyn Entropy,
    ) -> Result<KekStatus, SeedError> {
        let names: Vec<String> = self.all().map(|named| named.name.clone()).collect();
        match store {
            None if self.others.is_empty() => self.default.store.rotate(role, label, entropy),
            None => Err(SeedError::WhichStore { names: names.join(", ") }),
            Some(store) => match self.all().find(|named| named.name == store) {
                Some(named) => named.store.rotate(role, label, entropy),
                None => Err(SeedError::NoStore { name: store.to_owned(), names: names.join(", ") }),
            },
        }
    }

    /// Every store's [`SeedStore::status`], the default one's first.
    pub fn status(&mut self) -> Vec<StoreStatus> {
        let status = |(number, named): (usize, &mut Named)| StoreStatus {
            name: named.name.clone(),
            default: number == 0,
            of: named.store.status(),
        };
        self.all().enumerate().map(status).collect()
    }

    /// [`SeedStore::newest`] of each.
    pub fn newest(&mut self, limit: usize) -> Vec<CidBytes> {
        self.all().flat_map(|named| named.store.newest(limit)).collect()
    }

    /// [`SeedStore::list`] of all.
    pub fn list(&mut self) -> Vec<SeedListed> {
        self.all().flat_map(|named| named.store.list()).collect()
    }

    /// Which store has the seed of an order, or had it; none if all say that they have not.
    fn find(&mut self, placed: &CidBytes) -> Result<Option<usize>, SeedError> {
        let (mut found, mut cannot_say) = (None, None);
        for (number, named) in self.all().enumerate() {
            match named.store.holds(placed) {
                Ok(true) if found.is_some() => {
                    return Err(SeedError::conflict("two stores hold a seed for this order"));
                }
                Ok(true) => found = Some(number),
                Ok(false) => {}
                Err(error) => cannot_say = cannot_say.or(Some(error)),
            }
        }
        match (found, cannot_say) {
            (None, Some(error)) => Err(error),
            (found, _) => Ok(found),
        }
    }

    /// Asks each store about its own orders, together; one answer for each order, in their order.
    fn each(
        &mut self,
        orders: &[CidBytes],
        found: Vec<Result<usize, SeedError>>,
        mut ask: impl FnMut(&mut dyn SeedStore, &[CidBytes]) -> Keys,
    ) -> Keys {
        let mut of_store: HashMap<usize, Vec<CidBytes>> = HashMap::new();
        for (placed, found) in orders.iter().zip(&found) {
            if let Ok(number) = found {
                of_store.entry(*number).or_default().push(*placed);
            }
        }
        let mut answers: HashMap<usize, _> = HashMap::new();
        for (number, orders) in of_store {
            let keys = self.at(number).map_or_else(Vec::new, |store| ask(store, &orders));
            answers.insert(number, keys.into_iter());
        }
        let answer = |found: Result<usize, SeedError>| {
            answers.get_mut(&found?).and_then(Iterator::next).unwrap_or(Err(SeedError::Stopped))
        };
        found.into_iter().map(answer).collect()
    }
}

/// What of all stores needs the operator, if anything does.
pub fn trouble_of(stores: &[StoreStatus]) -> Option<String> {
    let told = |store: &StoreStatus| {
        let trouble = store.of.trouble()?;
        Some(if stores.len() > 1 { format!("store {}: {trouble}", store.name) } else { trouble })
    };
    let told: Vec<String> = stores.iter().filter_map(told).collect();
    (!told.is_empty()).then(|| told.join("; "))
}
