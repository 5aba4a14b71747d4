//! The fault this crate is here to be without, and the rest of what is relied upon.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use ::futures::channel::{mpsc, oneshot};
use ::futures::{Stream, StreamExt};

use crate::futures::FutureMap;
use crate::futures::set::FutureSet;
use crate::optional::Optional;
use crate::stream::StreamMap;

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Woken {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn poll<S: Stream + Unpin>(stream: &mut S, woken: &Arc<Woken>) -> Poll<Option<S::Item>> {
    stream.poll_next_unpin(&mut Context::from_waker(&Waker::from(woken.clone())))
}

#[test]
fn a_key_that_was_removed_is_free_at_once() {
    let woken = Arc::new(Woken::default());
    let (_first, receiver) = mpsc::unbounded::<u8>();
    let mut map = StreamMap::new();
    assert!(map.insert("peer", receiver));
    assert!(poll(&mut map, &woken).is_pending());
    assert!(map.remove(&"peer").is_some() && map.remove(&"peer").is_none());
    assert!(!map.contains_key(&"peer") && map.keys().next().is_none());
    let (second, receiver) = mpsc::unbounded();
    assert!(map.insert("peer", receiver), "the same peer comes back");
    assert_eq!(woken.count(), 1, "and is looked at");
    second.unbounded_send(7).unwrap();
    assert_eq!(poll(&mut map, &woken), Poll::Ready(Some(("peer", 7))));
}

#[test]
fn one_entry_a_key() {
    let mut map: StreamMap<_, _> = [(1, mpsc::unbounded::<u8>().1)].into_iter().collect();
    assert!(!map.insert(1, mpsc::unbounded().1));
    assert!(map.insert(2, mpsc::unbounded().1));
    assert!(map.get(&1).is_some() && map.get_mut(&2).is_some() && map.get(&3).is_none());
    assert_eq!((map.values().count(), map.values_mut().count()), (2, 2));
}

#[test]
fn a_busy_stream_keeps_no_other_waiting() {
    let woken = Arc::new(Woken::default());
    let mut map = StreamMap::new();
    map.insert("busy", ::futures::stream::repeat(0));
    map.insert("other", ::futures::stream::repeat(1));
    let keys: Vec<_> = (0..4).map(|_| poll(&mut map, &woken)).collect();
    assert_eq!(keys[0..2], keys[2..4]);
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn streams_that_end_are_gone_and_the_end_of_all_is_told_once() {
    let woken = Arc::new(Woken::default());
    let mut map = StreamMap::new();
    assert!(poll(&mut map, &woken).is_pending(), "none yet is not none left");
    map.insert(1, ::futures::stream::iter(vec![10]));
    map.insert(2, ::futures::stream::iter(vec![]));
    map.insert(3, ::futures::stream::iter(vec![30]));
    let mut all: Vec<_> = (0..3).map(|_| poll(&mut map, &woken)).collect();
    assert_eq!(all.pop(), Some(Poll::Ready(None)));
    assert!(all.contains(&Poll::Ready(Some((1, 10)))) && all.contains(&Poll::Ready(Some((3, 30)))));
    assert!(poll(&mut map, &woken).is_pending());
    map.insert(1, ::futures::stream::iter(vec![11]));
    assert_eq!(poll(&mut map, &woken), Poll::Ready(Some((1, 11))));
}

#[test]
fn futures_answer_once_and_are_gone() {
    let woken = Arc::new(Woken::default());
    let mut map = FutureMap::new();
    let (send, receive) = oneshot::channel();
    map.insert('a', receive);
    assert!(poll(&mut map, &woken).is_pending());
    send.send(5).unwrap();
    assert_eq!(woken.count(), 1);
    assert_eq!(poll(&mut map, &woken), Poll::Ready(Some(('a', Ok(5)))));
    assert!(!map.contains_key(&'a'));
    let mut set = FutureSet::default();
    set.insert(::futures::future::ready(1));
    set.insert(::futures::future::ready(1));
    assert_eq!([(); 3].map(|()| poll(&mut set, &woken)), [Some(1), Some(1), None].map(Poll::Ready));
}

#[test]
fn an_optional_waits_while_there_is_none() {
    let woken = Arc::new(Woken::default());
    let mut optional = Optional::default();
    assert!(optional.is_none() && poll(&mut optional, &woken).is_pending());
    optional.replace(::futures::stream::iter([1]));
    assert_eq!(woken.count(), 1);
    assert!(optional.is_some() && optional.as_ref().is_some() && optional.as_mut().is_some());
    assert_eq!(poll(&mut optional, &woken), Poll::Ready(Some(1)));
    assert_eq!(poll(&mut optional, &woken), Poll::Ready(None));
    assert!(Optional::take(&mut optional).is_none() && poll(&mut optional, &woken).is_pending());
}

#[test]
fn what_is_not_there_is_made() {
    let mut map: FutureMap<&str, ::futures::future::OptionFuture<::futures::future::Ready<u8>>> =
        FutureMap::new();
    map.get_mut_or_default(&"a");
    map.get_mut_or_default(&"a");
    assert_eq!(map.keys().count(), 1);
}
