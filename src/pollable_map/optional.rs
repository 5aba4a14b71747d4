//! A future or stream that may be there or not: while it is not, polling it waits.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures::{FutureExt, Stream, StreamExt};

/// One future or stream, or none.
pub struct Optional<T> {
    inner: Option<T>,
    waker: Option<Waker>,
}

impl<T> Default for Optional<T> {
    fn default() -> Self {
        Self { inner: None, waker: None }
    }
}

impl<T> Optional<T> {
    /// This one.
    pub fn new(inner: T) -> Self {
        Self { inner: Some(inner), waker: None }
    }

    /// Puts another in its place, and wakes who waits.
    pub fn replace(&mut self, inner: T) -> Option<T> {
        let before = self.inner.replace(inner);
        self.wake();
        before
    }

    /// Takes it out.
    pub fn take(&mut self) -> Option<T> {
        let before = self.inner.take();
        self.wake();
        before
    }

    /// Whether it is there.
    pub fn is_some(&self) -> bool {
        self.inner.is_some()
    }

    /// Whether it is not there.
    pub fn is_none(&self) -> bool {
        self.inner.is_none()
    }

    /// It, if it is there.
    pub fn as_ref(&self) -> Option<&T> {
        self.inner.as_ref()
    }

    /// It, if it is there.
    pub fn as_mut(&mut self) -> Option<&mut T> {
        self.inner.as_mut()
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl<T: Future + Unpin> Future for Optional<T> {
    type Output = T::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T::Output> {
        if let Some(Poll::Ready(output)) = self.inner.as_mut().map(|inner| inner.poll_unpin(cx)) {
            self.inner = None;
            return Poll::Ready(output);
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl<T: Stream + Unpin> Stream for Optional<T> {
    type Item = T::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T::Item>> {
        if let Some(Poll::Ready(item)) = self.inner.as_mut().map(|inner| inner.poll_next_unpin(cx)) {
            if item.is_none() {
                self.inner = None;
            }
            return Poll::Ready(item);
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
