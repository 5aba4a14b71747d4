//! Futures and streams that are polled under keys, with the interface that rust-ipfs uses of the crate of this name.
//!
//! It stands in for that crate's version 0.1.7, in which a key that was removed cannot be inserted again before something
//! polls what is left of it, and nothing does: a peer that had gone and came back exchanged no blocks any more (docs/adr/0015).
//! Here what is removed is gone. All entries are polled whenever one wakes: they are as many as a node has connections.

mod keyed;
pub mod optional;

/// Futures under keys.
pub mod futures {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use ::futures::{FutureExt, Stream};

    use crate::keyed::{Keyed, Step, keyed_interface};

    /// Futures without keys.
    pub mod set {
        use super::*;

        /// A set of futures; as a stream it yields what they answer.
        pub struct FutureSet<T>(Keyed<(), T>);

        impl<T> Default for FutureSet<T> {
            fn default() -> Self {
                Self::new()
            }
        }

        impl<T> FutureSet<T> {
            /// An empty set.
            pub fn new() -> Self {
                Self(Keyed::new())
            }

            /// Adds a future.
            pub fn insert(&mut self, future: T) -> bool {
                self.0.push((), future);
                true
            }
        }

        impl<T: Future + Unpin> Stream for FutureSet<T> {
            type Item = T::Output;

            fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
                self.0.poll(cx, once).map(|answer| answer.map(|((), output)| output))
            }
        }
    }

    /// Futures under keys; as a stream it yields what they answer, each under its key.
    pub struct FutureMap<K, T>(Keyed<K, T>);

    keyed_interface!(FutureMap);

    impl<K: Clone + Unpin, T: Future + Unpin> Stream for FutureMap<K, T> {
        type Item = (K, T::Output);

        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.0.poll(cx, once)
        }
    }

    fn once<T: Future + Unpin>(future: &mut T, cx: &mut Context<'_>) -> Step<T::Output> {
        match future.poll_unpin(cx) {
            Poll::Ready(output) => Step::Last(output),
            Poll::Pending => Step::Pending,
        }
    }
}

/// Streams under keys.
pub mod stream {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use ::futures::{Stream, StreamExt};

    use crate::keyed::{Keyed, Step, keyed_interface};

    /// Streams under keys; as a stream it yields what they yield, each under its key.
    pub struct StreamMap<K, T>(Keyed<K, T>);

    keyed_interface!(StreamMap);

    impl<K: Clone + Unpin, T: Stream + Unpin> Stream for StreamMap<K, T> {
        type Item = (K, T::Item);

        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.0.poll(cx, |stream, cx| match stream.poll_next_unpin(cx) {
                Poll::Ready(Some(item)) => Step::Item(item),
                Poll::Ready(None) => Step::End,
                Poll::Pending => Step::Pending,
            })
        }
    }
}

#[cfg(test)]
mod tests;
