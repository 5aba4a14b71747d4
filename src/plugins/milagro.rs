//! The plugin `milagro`: the key pair itself, nothing added. All its hooks are the defaults.

use crate::plugin::Plugin;

/// The default plugin.
pub struct Milagro;

/// Its name.
pub const NAME: &str = "milagro";

impl Plugin for Milagro {
    fn name(&self) -> &'static str {
        NAME
    }

    fn about(&self) -> &'static str {
        "the key pair itself; nothing is added to an order"
    }
}
