//! Git itself: reading objects, checkouts, commits, branches, and fetching with the git program.
//!
//! Objects are read and written with libgit2 on the object database alone. Nothing here knows of plug traits' requests
//! beyond their data.

mod access;
mod ancestry;
mod bare;
mod cache;
pub(crate) mod change;
mod checkout;
pub(crate) mod commit;
mod data;
mod entry;
mod fingerprint;
mod in_use;
mod kept_repository;
mod leftovers;
mod mirror;
mod proposal;
mod read;
mod record;
mod repository;
mod revision;
mod room;
mod store;
pub(crate) mod transport;
mod walk;

pub(crate) use access::{check_writable, name_in_the_way};
pub(crate) use ancestry::Ancestry;
pub(crate) use cache::{CheckoutCache, system_time};
pub(crate) use mirror::{Mirror, MirrorLock};
pub(crate) use proposal::{propose, status};
#[cfg(feature = "github")]
pub(crate) use read::{FoundFile, LFS_MAX_BYTES, blob_id, holds_lfs_pointer, is_lfs_pointer};
pub(crate) use read::{list_tree, read_file};
pub(crate) use record::ProposalRecord;
pub(crate) use repository::GitRepository;
pub(crate) use revision::{USUAL_NAMES, gone_note, resolve};
pub(crate) use store::CommitStore;
#[cfg(feature = "github")]
pub(crate) use walk::kind_of;
