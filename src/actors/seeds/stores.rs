//! Every store of a node: new seeds go to the default one, and a seed that is there is found wherever it is.

use std::collections::HashMap;

use dta_crypto::{Entropy, OrderKey};
use dta_protocol::Cid;

use super::kek::{KekEntry, Role};
use super::{CidBytes, KekStatus, SeedError, SeedListed, SeedStatus, SeedStore};

/// A name that no order has: whoever can say that it has no seed could say so of any order.
const NO_ORDER: CidBytes = [0; 36];

/// Orders with a seed in two stores that are named; the rest is counted.
const TOLD: usize = 100;

/// One store or several, each with the name that the settings give it.
pub struct Stores {
    default: Named,
    others: Vec<Named>,
    /// Keys in tokens that are none of any store's, and serve otherwise.
    reserved: Vec<KekEntry>,
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
    /// Orders that a store before it has a seed of, too.
    pub doubled: Doubled,
}

/// Orders with a seed in two stores: which one was promised, a person must find out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doubled {
    /// How many.
    pub orders: u32,
    /// The first hundred of them.
    pub told: Vec<CidBytes>,
}

type Keys = Vec<Result<OrderKey, SeedError>>;

impl Named {
    /// Its errors say whose they are, unless it is alone.
    fn ask<T>(
        &mut self,
        alone: bool,
        ask: impl FnOnce(&mut dyn SeedStore) -> Result<T, SeedError>,
    ) -> Result<T, SeedError> {
        ask(&mut *self.store).map_err(|error| if alone { error } else { error.in_store(&self.name) })
    }
}

impl Stores {
    /// New seeds go to `default`.
    pub fn new(default: Named, others: Vec<Named>) -> Self {
        Self { default, others, reserved: Vec::new() }
    }

    /// A single store.
    pub fn one(store: impl SeedStore + 'static) -> Self {
        Self::new(Named { name: "main".to_owned(), store: Box::new(store) }, Vec::new())
    }

    /// None of these keys becomes a KEK.
    #[must_use]
    pub fn reserving(self, reserved: Vec<KekEntry>) -> Self {
        Self { reserved, ..self }
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Named> {
        std::iter::once(&mut self.default).chain(&mut self.others)
    }

    fn each_of(&self) -> impl Iterator<Item = &Named> {
        std::iter::once(&self.default).chain(&self.others)
    }

    fn is_alone(&self) -> bool {
        self.others.is_empty()
    }

    /// Their names, the default one's first.
    pub(super) fn names(&self) -> Vec<String> {
        self.each_of().map(|named| named.name.clone()).collect()
    }

    /// Asks the store of this number, the default one being 0.
    pub(super) fn ask<T>(
        &mut self,
        number: usize,
        ask: impl FnOnce(&mut dyn SeedStore) -> Result<T, SeedError>,
    ) -> Result<T, SeedError> {
        let alone = self.is_alone();
        self.all().nth(number).ok_or(SeedError::NotFound)?.ask(alone, ask)
    }

    /// [`SeedStore::create`]: in the default store, unless another has the order's seed already. One with a copy away, which may
    /// have it, stands in the way: of an order with two seeds neither could be opened.
    pub fn create(&mut self, orders: &[CidBytes], entropy: &mut dyn Entropy) -> Keys {
        let found = orders.iter().map(|placed| Ok(self.find(placed)?.unwrap_or(0))).collect();
        self.each(orders, found, |store, orders| store.create(orders, entropy))
    }

    /// [`SeedStore::open`].
    pub fn open(&mut self, orders: &[CidBytes]) -> Keys {
        let found =
            orders.iter().map(|placed| self.find(placed)?.ok_or_else(|| self.absent(placed))).collect();
        self.each(orders, found, |store, orders| store.open(orders))
    }

    /// [`SeedStore::shred`].
    ///
    /// # Errors
    /// As there.
    pub fn shred(&mut self, placed: &CidBytes) -> Result<(), SeedError> {
        match self.find(placed)? {
            Some(found) => self.ask(found, |store| store.shred(placed)),
            None => Err(self.absent(placed)),
        }
    }

    /// [`SeedStore::ready`]: the default store is, and all could say that they have no seed for an order.
    ///
    /// # Errors
    /// As there.
    pub fn ready(&mut self) -> Result<(), SeedError> {
        self.ask(0, |store| store.ready())?;
        (0..=self.others.len())
            .try_for_each(|number| self.ask(number, |store| store.holds(&NO_ORDER)).map(drop))
    }

    /// [`SeedStore::check`].
    pub fn check(&mut self) {
        self.all().for_each(|named| named.store.check());
    }

    /// [`SeedStore::rotate`], in the store of this name, which need not be said if there is only one; which it was. The key is none of
    /// another store's.
    ///
    /// # Errors
    /// As there; `NoStore`, `WhichStore`.
    pub fn rotate(
        &mut self,
        store: Option<&str>,
        role: Role,
        label: Option<&str>,
        entropy: &mut dyn Entropy,
    ) -> Result<(String, KekStatus), SeedError> {
        let names = self.names();
        let number = match store {
            None if self.is_alone() => 0,
            None => return Err(SeedError::WhichStore { names: names.join(", ") }),
            Some(store) => names
                .iter()
                .position(|name| name == store)
                .ok_or_else(|| SeedError::NoStore { name: store.to_owned(), names: names.join(", ") })?,
        };
        let mut others = self.reserved.clone();
        for (_, other) in self.each_of().enumerate().filter(|(other, _)| *other != number) {
            others.extend_from_slice(other.store.keks());
        }
        let made = self.ask(number, |store| store.rotate(role, label, &others, entropy))?;
        Ok((names.into_iter().nth(number).unwrap_or_default(), made))
    }

    /// Every store's [`SeedStore::status`], the default one's first.
    pub fn status(&mut self) -> Vec<StoreStatus> {
        let status: Vec<SeedStatus> = self.all().map(|named| named.store.status()).collect();
        let told = |(number, (named, of)): (usize, (&Named, SeedStatus))| StoreStatus {
            name: named.name.clone(),
            default: number == 0,
            of,
            doubled: self.doubled(number),
        };
        self.each_of().zip(status).enumerate().map(told).collect()
    }

    /// Orders of this store that one before it has a seed of, too.
    fn doubled(&self, number: usize) -> Doubled {
        let mut doubled = Doubled::default();
        let Some(store) = self.each_of().nth(number).filter(|_| number > 0) else { return doubled };
        for placed in store.store.orders() {
            if self.each_of().take(number).any(|before| before.store.knows(placed)) {
                doubled.orders += 1;
                if doubled.told.len() < TOLD {
                    doubled.told.push(*placed);
                }
            }
        }
        doubled
    }

    /// [`SeedStore::newest`] of each.
    pub fn newest(&mut self, limit: usize) -> Vec<CidBytes> {
        self.all().flat_map(|named| named.store.newest(limit)).collect()
    }

    /// [`SeedStore::list`] of all, each order once.
    pub fn list(&mut self) -> Vec<SeedListed> {
        let mut listed: Vec<SeedListed> = self.all().flat_map(|named| named.store.list()).collect();
        if !self.is_alone() {
            listed.sort_by_key(|seed| seed.placed);
            listed.dedup_by_key(|seed| seed.placed);
        }
        listed
    }

    /// Which store has the seed of an order, or had it; none if all say that they have not. A single one need not be asked.
    fn find(&mut self, placed: &CidBytes) -> Result<Option<usize>, SeedError> {
        if self.is_alone() {
            return Ok(Some(0));
        }
        let (mut found, mut cannot_say) = (None, None);
        for number in 0..=self.others.len() {
            match (self.ask(number, |store| store.holds(placed)), found) {
                (Ok(true), Some(first)) => return Err(self.in_two(first, number)),
                (Ok(true), None) => found = Some(number),
                (Ok(false), _) => {}
                (Err(error), _) => cannot_say = cannot_say.or(Some(error)),
            }
        }
        match (found, cannot_say) {
            (None, Some(error)) => Err(error),
            (found, _) => Ok(found),
        }
    }

    fn in_two(&self, one: usize, other: usize) -> SeedError {
        let name = |number: usize| self.each_of().nth(number).map_or("", |named| named.name.as_str());
        SeedError::conflict(format!(
            "the stores {} and {} both hold a seed for this order",
            name(one),
            name(other)
        ))
    }

    /// Why an order has no seed in any store: the first that has a slot which nobody can read says so.
    fn absent(&mut self, placed: &CidBytes) -> SeedError {
        let alone = self.is_alone();
        let open =
            |store: &mut dyn SeedStore| store.open(&[*placed]).pop().unwrap_or(Err(SeedError::NotFound));
        let why = |named: &mut Named| named.ask(alone, open).err();
        let mut said = self.all().filter_map(why);
        said.find(|error| !matches!(error, SeedError::NotFound)).unwrap_or(SeedError::NotFound)
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
        let alone = self.is_alone();
        let mut answers: HashMap<usize, _> = HashMap::new();
        for (number, orders) in of_store {
            let Some(named) = self.all().nth(number) else { continue };
            let keys = ask(&mut *named.store, &orders);
            let name = named.name.clone();
            let says = move |error: SeedError| if alone { error } else { error.in_store(&name) };
            answers.insert(number, keys.into_iter().map(move |key| key.map_err(&says)));
        }
        let answer = |found: Result<usize, SeedError>| {
            answers.get_mut(&found?).and_then(Iterator::next).unwrap_or(Err(SeedError::Stopped))
        };
        found.into_iter().map(answer).collect()
    }
}

impl StoreStatus {
    /// What needs the operator, if anything does.
    pub fn trouble(&self) -> Option<String> {
        let Doubled { orders, told } = &self.doubled;
        let doubled = told.first().map(|first| {
            let first = Cid::from_bytes(first).map_or_else(|_| hex::encode(first), |cid| cid.to_string());
            format!("{orders} orders have a seed in another store, too, {first} first")
        });
        let told: Vec<String> = self.of.trouble().into_iter().chain(doubled).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

/// What of all stores needs the operator, if anything does.
pub fn trouble_of(stores: &[StoreStatus]) -> Option<String> {
    let told = |store: &StoreStatus| {
        let trouble = store.trouble()?;
        Some(if stores.len() > 1 { format!("store {}: {trouble}", store.name) } else { trouble })
    };
    let told: Vec<String> = stores.iter().filter_map(told).collect();
    (!told.is_empty()).then(|| told.join("; "))
}
