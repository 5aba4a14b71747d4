//! Addresses of IPFS nodes: which ones this node can use, and which stay on this machine.

use std::net::IpAddr;

use rust_ipfs::{Multiaddr, PeerId, Protocol};
use thiserror::Error;

/// Another node: who it is and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The name that it must prove to be dialled.
    pub id: PeerId,
    /// `/ip4/…/tcp/…` or `/ip6/…/tcp/…`.
    pub address: Multiaddr,
}

/// Why an address is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    /// Names, UDP, websockets, relays.
    #[error("must be /ip4/ADDRESS/tcp/PORT or /ip6/ADDRESS/tcp/PORT")]
    Shape,
    /// Whoever answers there could be anyone.
    #[error("must end in /p2p/PEER-ID, as `dta ipfs id` prints it")]
    NoPeerId,
    /// A listener has the node's own id.
    #[error("must not end in /p2p/PEER-ID: the node has its own")]
    PeerId,
}

/// Whether this node can listen there.
///
/// # Errors
/// `Shape`, `PeerId`.
pub fn check_listen(address: &Multiaddr) -> Result<(), AddressError> {
    match split(address)? {
        (_, None) => Ok(()),
        (_, Some(_)) => Err(AddressError::PeerId),
    }
}

/// The peer that an address names.
///
/// # Errors
/// `Shape`, `NoPeerId`.
pub fn peer(address: &Multiaddr) -> Result<Peer, AddressError> {
    match split(address)? {
        (address, Some(id)) => Ok(Peer { id, address }),
        (_, None) => Err(AddressError::NoPeerId),
    }
}

/// Whether nobody outside this machine is reached by it; no other shape than those above is.
pub fn is_loopback(address: &Multiaddr) -> bool {
    address.iter().next().and_then(ip).is_some_and(|ip| ip.is_loopback())
}

fn split(address: &Multiaddr) -> Result<(Multiaddr, Option<PeerId>), AddressError> {
    let parts: Vec<Protocol<'_>> = address.iter().collect();
    let (place, id) = match parts.as_slice() {
        [host, port @ Protocol::Tcp(_)] => ([host, port], None),
        [host, port @ Protocol::Tcp(_), Protocol::P2p(id)] => ([host, port], Some(*id)),
        _ => return Err(AddressError::Shape),
    };
    ip(place[0].clone()).ok_or(AddressError::Shape)?;
    Ok((place.into_iter().cloned().collect(), id))
}

fn ip(part: Protocol<'_>) -> Option<IpAddr> {
    match part {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A well-known bootstrap node's; any would do.
    const ID: &str = "QmaCpDMGvV2BGHeYERUEnRQAwe3N8SzbUtfsmvsqQLuvuJ";

    fn read(text: &str) -> Multiaddr {
        text.replace("ID", ID).parse().unwrap()
    }

    #[test]
    fn what_can_be_listened_on_and_dialled() {
        assert_eq!(check_listen(&read("/ip4/127.0.0.1/tcp/0")), Ok(()));
        assert_eq!(check_listen(&read("/ip6/::/tcp/5558")), Ok(()));
        let peer = peer(&read("/ip4/10.0.0.7/tcp/5558/p2p/ID")).unwrap();
        assert_eq!(peer.id.to_string(), ID);
        assert_eq!(peer.address, read("/ip4/10.0.0.7/tcp/5558"));
    }

    #[test]
    fn everything_else_is_refused() {
        assert_eq!(check_listen(&read("/ip4/127.0.0.1/tcp/1/p2p/ID")), Err(AddressError::PeerId));
        assert_eq!(peer(&read("/ip4/127.0.0.1/tcp/1")), Err(AddressError::NoPeerId));
        for text in [
            "/ip4/127.0.0.1",
            "/tcp/5558",
            "/ip4/127.0.0.1/udp/1",
            "/ip4/127.0.0.1/udp/1/quic-v1",
            "/dns4/example.org/tcp/1",
            "/dnsaddr/bootstrap.libp2p.io",
            "/ip4/127.0.0.1/tcp/1/ws",
            "/ip4/1.2.3.4/tcp/1/p2p/ID/p2p-circuit",
            "/ip4/1.2.3.4/tcp/1/p2p/ID/p2p/ID",
            "/p2p/ID",
            "/tcp/1/ip4/127.0.0.1",
            "",
        ] {
            let address = read(text);
            assert_eq!(check_listen(&address), Err(AddressError::Shape), "{text}");
            assert_eq!(peer(&address), Err(AddressError::Shape), "{text}");
        }
    }

    #[test]
    fn loopback_is_this_machine_only() {
        for text in ["/ip4/127.0.0.1/tcp/1", "/ip4/127.9.9.9/tcp/1/p2p/ID", "/ip6/::1/tcp/1"] {
            assert!(is_loopback(&read(text)), "{text}");
        }
        for text in
            ["/ip4/0.0.0.0/tcp/1", "/ip4/10.0.0.1/tcp/1", "/ip6/::/tcp/1", "/ip6/::ffff:127.0.0.1/tcp/1", ""]
        {
            assert!(!is_loopback(&read(text)), "{text}");
        }
    }
}
