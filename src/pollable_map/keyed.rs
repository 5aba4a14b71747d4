//! What the maps have in common: entries, polled in turn.

use std::task::{Context, Poll, Waker};

/// What one entry answers when it is polled.
pub(crate) enum Step<O> {
    /// There is more to come.
    Item(O),
    /// This was all.
    Last(O),
    /// There was nothing more.
    End,
    /// Nothing yet.
    Pending,
}

pub(crate) struct Keyed<K, T> {
    entries: Vec<(K, T)>,
    /// Who is polled first the next time, so that a busy entry keeps no other waiting.
    turn: usize,
    /// Whether who polls has been told that nothing is left.
    told_empty: bool,
    waker: Option<Waker>,
}

impl<K, T> Keyed<K, T> {
    pub(crate) fn new() -> Self {
        Self { entries: Vec::new(), turn: 0, told_empty: true, waker: None }
    }

    pub(crate) fn push(&mut self, key: K, entry: T) {
        self.entries.push((key, entry));
        self.told_empty = false;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    pub(crate) fn entries(&self) -> &[(K, T)] {
        &self.entries
    }

    pub(crate) fn entries_mut(&mut self) -> impl Iterator<Item = &mut (K, T)> {
        self.entries.iter_mut()
    }

    pub(crate) fn remove(&mut self, which: impl Fn(&K) -> bool) -> Option<T> {
        let at = self.entries.iter().position(|(key, _)| which(key))?;
        Some(self.entries.swap_remove(at).1)
    }
}

impl<K: Clone, T> Keyed<K, T> {
    /// Polls the entries in turn until one has something. When none is left it says so once, then waits for one.
    pub(crate) fn poll<O>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl Fn(&mut T, &mut Context<'_>) -> Step<O>,
    ) -> Poll<Option<(K, O)>> {
        let mut pending = 0;
        while pending < self.entries.len() {
            let at = self.turn % self.entries.len();
            let (key, entry) = &mut self.entries[at];
            match poll(entry, cx) {
                Step::Item(output) => {
                    self.turn = at + 1;
                    return Poll::Ready(Some((key.clone(), output)));
                }
                Step::Last(output) => {
                    return Poll::Ready(Some((self.entries.swap_remove(at).0, output)));
                }
                // Another stands here now.
                Step::End => drop(self.entries.swap_remove(at)),
                Step::Pending => {
                    self.turn = at + 1;
                    pending += 1;
                }
            }
        }
        if self.entries.is_empty() && !self.told_empty {
            self.told_empty = true;
            return Poll::Ready(None);
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// The interface of a map, over the tuple struct's one field.
macro_rules! keyed_interface {
    ($map:ident) => {
        impl<K, T> Default for $map<K, T> {
            fn default() -> Self {
                Self::new()
            }
        }

        impl<K, T> $map<K, T> {
            /// An empty map.
            pub fn new() -> Self {
                Self(Keyed::new())
            }

            /// The keys, in no order.
            pub fn keys(&self) -> impl Iterator<Item = &K> {
                self.0.entries().iter().map(|(key, _)| key)
            }

            /// The values, in no order.
            pub fn values(&self) -> impl Iterator<Item = &T> {
                self.0.entries().iter().map(|(_, value)| value)
            }

            /// The values, in no order. What is woken by a change must see to that itself.
            pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
                self.0.entries_mut().map(|(_, value)| value)
            }
        }

        impl<K: PartialEq, T> $map<K, T> {
            /// Adds an entry; false, and nothing is changed, if there is one under this key.
            pub fn insert(&mut self, key: K, value: T) -> bool {
                let new = !self.contains_key(&key);
                if new {
                    self.0.push(key, value);
                }
                new
            }

            /// Whether there is an entry under this key.
            pub fn contains_key(&self, key: &K) -> bool {
                self.keys().any(|other| other == key)
            }

            /// The entry under this key.
            pub fn get(&self, key: &K) -> Option<&T> {
                self.0.entries().iter().find(|(other, _)| other == key).map(|(_, value)| value)
            }

            /// The entry under this key.
            pub fn get_mut(&mut self, key: &K) -> Option<&mut T> {
                self.0.entries_mut().find(|(other, _)| other == key).map(|(_, value)| value)
            }

            /// Takes the entry under this key out; another can be inserted at once.
            pub fn remove(&mut self, key: &K) -> Option<T> {
                self.0.remove(|other| other == key)
            }
        }

        impl<K: PartialEq + Clone, T: Default> $map<K, T> {
            /// The entry under this key, made if there is none.
            pub fn get_mut_or_default(&mut self, key: &K) -> &mut T {
                self.0.get_or_push_default(key)
            }
        }

        impl<K: PartialEq, T> FromIterator<(K, T)> for $map<K, T> {
            fn from_iter<I: IntoIterator<Item = (K, T)>>(entries: I) -> Self {
                let mut map = Self::new();
                for (key, value) in entries {
                    map.insert(key, value);
                }
                map
            }
        }
    };
}
pub(crate) use keyed_interface;

impl<K: PartialEq + Clone, T: Default> Keyed<K, T> {
    pub(crate) fn get_or_push_default(&mut self, key: &K) -> &mut T {
        let at = self.entries.iter().position(|(other, _)| other == key).unwrap_or_else(|| {
            self.push(key.clone(), T::default());
            self.entries.len() - 1
        });
        &mut self.entries[at].1
    }
}
