//! Files read through the API, without git.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use staso_core::id::CommitId;
use staso_core::vcs::{FileContent, Tree, TreeEntryKind, VcsError, VcsProvider as _};
use staso_github::{CodeAccess, GitHub, GitLimits, LocalGit};

use super::world::{BLOB, COMMIT, TARBALL, TREE, World};
use crate::fixture::{GitFixture, path, url_of, write};
use crate::peer::choice::Choice;

const LFS: &[u8] = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
/// Names that are hard to carry.
const NAMES: [&str; 5] = ["dir/ünï çødé.txt", "dir/a b'c\"d.txt", "dir/50%2F.txt", "dir/#q?x=1&y", "-dash"];

/// A repository with one of everything. The commit is the last one of `main`.
fn odd() -> (World, CommitId) {
    let fixture = GitFixture::new();
    write(&fixture.repository, "binary", b"\x00\x01\xff");
    write(&fixture.repository, "latin1", b"caf\xe9\n");
    write(&fixture.repository, "big.lfs", LFS);
    write(&fixture.repository, "crlf", b"\xef\xbb\xbfa\r\nno newline");
    write(&fixture.repository, "empty", b"");
    for name in NAMES {
        write(&fixture.repository, name, name.as_bytes());
    }
    symlink("../app/agent.py", fixture.repository.join("dir/link")).unwrap();
    let id = fixture.tip.clone();
    // An empty directory, so that the submodule counts as one that was not brought.
    fs::create_dir_all(fixture.repository.join("vendor/lib")).unwrap();
    fixture.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{id},vendor/lib")]);
    let commit = World::commit_all(&fixture);
    let world = World::new(fixture);
    world.serve(&commit);
    (world, commit)
}

async fn read(world: &World, provider: &GitHub, commit: &CommitId, at: &str, max: u64) -> FileContent {
    provider.read_file(&world.reference(), commit, &path(at), max, &world.ctx).await.unwrap()
}

/// What a provider of local repositories says of the same.
async fn locally(world: &World, commit: &CommitId) -> (Tree, BTreeMap<String, FileContent>) {
    let bare = world.host.repository("acme/support");
    let local = LocalGit::new(world.data().join("local"));
    let reference = staso_core::vcs::RepositoryRef { url: url_of(&bare), ..world.reference() };
    let tree = local.list_tree(&reference, commit, 1000, &world.ctx).await.unwrap();
    let mut files = BTreeMap::new();
    for entry in &tree.entries {
        let content = local.read_file(&reference, commit, &entry.path, 100, &world.ctx).await.unwrap();
        files.insert(entry.path.to_string(), content);
    }
    (tree, files)
}

#[tokio::test]
async fn what_is_read_is_what_git_reads() {
    let (world, commit) = odd();
    let provider = world.provider(CodeAccess::Api);
    let (tree, files) = locally(&world, &commit).await;
    let listed = provider.list_tree(&world.reference(), &commit, 1000, &world.ctx).await.unwrap();
    assert_eq!(listed, tree);
    // No archive is served: reading goes on one by one when it cannot be had.
    for (at, expected) in files {
        let fresh = world.provider(CodeAccess::Api);
        assert_eq!(read(&world, &fresh, &commit, &at, 100).await, expected, "{at}");
    }
}

#[tokio::test]
async fn case_43_binary_files_are_told_and_not_shown() {
    let (world, commit) = odd();
    for access in [CodeAccess::Api, CodeAccess::Git] {
        let provider = world.provider(access);
        let binary = read(&world, &provider, &commit, "binary", 1000).await;
        assert_eq!(binary, FileContent::Binary { size_bytes: 3 });
        let latin = read(&world, &provider, &commit, "latin1", 1000).await;
        assert_eq!(
            latin,
            FileContent::Binary { size_bytes: 5 },
            "what is no UTF-8 could not be edited whole"
        );
    }
}

#[tokio::test]
async fn case_44_pointers_of_lfs_are_told() {
    let (world, commit) = odd();
    for access in [CodeAccess::Api, CodeAccess::Git] {
        let provider = world.provider(access);
        assert_eq!(read(&world, &provider, &commit, "big.lfs", 1000).await, FileContent::LfsPointer);
    }
}

#[tokio::test]
async fn case_45_submodules_are_named_and_never_followed() {
    let (world, commit) = odd();
    for access in [CodeAccess::Api, CodeAccess::Git] {
        let provider = world.provider(access);
        assert_eq!(read(&world, &provider, &commit, "vendor/lib", 1000).await, FileContent::Submodule);
        let tree = provider.list_tree(&world.reference(), &commit, 1000, &world.ctx).await.unwrap();
        let entry = tree.entries.iter().find(|entry| entry.path.as_str() == "vendor/lib").unwrap();
        assert_eq!((entry.kind, entry.size_bytes), (TreeEntryKind::Submodule, None));
    }
}

#[tokio::test]
async fn case_46_links_and_modes_are_kept() {
    let (world, commit) = odd();
    for access in [CodeAccess::Api, CodeAccess::Git] {
        let provider = world.provider(access);
        let link = read(&world, &provider, &commit, "dir/link", 1).await;
        assert_eq!(link, FileContent::Symlink { target: "../app/agent.py".to_owned() });
        let tree = provider.list_tree(&world.reference(), &commit, 1000, &world.ctx).await.unwrap();
        let executables: Vec<_> =
            tree.entries.iter().filter(|entry| entry.kind == TreeEntryKind::Executable).collect();
        assert_eq!(executables.len(), 1);
        let script = read(&world, &provider, &commit, executables[0].path.as_str(), 1000).await;
        assert!(matches!(script, FileContent::Text { executable: true, .. }), "{script:?}");
    }
}

#[tokio::test]
async fn case_48_odd_names_are_read_and_checked_out() {
    let (world, commit) = odd();
    world.serve_archive(&commit);
    let provider = world.provider(CodeAccess::Api);
    let checkout = provider.checkout(&world.reference(), &commit, &world.ctx).await.unwrap();
    for name in NAMES {
        let content = read(&world, &provider, &commit, name, 1000).await;
        assert!(matches!(content, FileContent::Text { text, .. } if &*text == name), "{name}");
        assert_eq!(fs::read_to_string(checkout.path.join(name)).unwrap(), name);
    }
}

#[tokio::test]
async fn case_50_large_files_and_truncated_listings() {
    let (world, commit) = odd();
    let provider = world.provider(CodeAccess::Api);
    let content = read(&world, &provider, &commit, "crlf", 5).await;
    assert_eq!(content, FileContent::TooLarge { size_bytes: 16 });
    assert_eq!(world.api.asked_of(BLOB).len(), 0, "what is too large is not downloaded");
    // One answer does not hold all of it any more.
    world.truncate(commit.as_str(), &[("recursive", "1")]);
    let (tree, files) = locally(&world, &commit).await;
    let provider = world.provider(CodeAccess::Api);
    assert_eq!(read(&world, &provider, &commit, "app/agent.py", 100).await, files["app/agent.py"]);
    assert_eq!(read(&world, &provider, &commit, "dir/link", 100).await, files["dir/link"]);
    for absent in ["app/nothing", "app/agent.py/below", "app"] {
        let read = provider.read_file(&world.reference(), &commit, &path(absent), 1, &world.ctx).await;
        assert!(matches!(read, Err(VcsError::FileNotFound { .. })), "{absent}: {read:?}");
    }
    let provider = world.provider(CodeAccess::Api);
    let listed = provider.list_tree(&world.reference(), &commit, 1000, &world.ctx).await.unwrap();
    assert_eq!(listed, tree, "listed directory by directory");
    let cut = provider.list_tree(&world.reference(), &commit, 2, &world.ctx).await.unwrap();
    assert_eq!((cut.entries.len(), cut.truncated), (2, true));
    assert_eq!(cut.entries, tree.entries[..2]);
}

#[tokio::test]
async fn a_file_that_is_not_what_its_id_says_is_refused() {
    let (world, commit) = odd();
    world.api.on(BLOB, [Choice::example()]);
    let provider = world.provider(CodeAccess::Api);
    let read = provider.read_file(&world.reference(), &commit, &path("big.lfs"), 1000, &world.ctx).await;
    assert!(matches!(read, Err(VcsError::BadAnswer { .. })), "{read:?}");
}

#[tokio::test]
async fn what_is_absent_is_not_found() {
    let (world, _) = odd();
    let provider = world.provider(CodeAccess::Api);
    let unknown = crate::fixture::commit_id(&"0123456789".repeat(4));
    let listed = provider.list_tree(&world.reference(), &unknown, 10, &world.ctx).await;
    assert!(matches!(listed, Err(VcsError::CommitNotFound { .. })), "{listed:?}");
    let made = provider.checkout(&world.reference(), &unknown, &world.ctx).await;
    assert!(matches!(made, Err(VcsError::CommitNotFound { .. })), "{made:?}");
    world.api.on(TREE, [Choice::status(409).message("Git Repository is empty.")]);
    let listed = provider.list_tree(&world.reference(), &unknown, 10, &world.ctx).await;
    assert!(matches!(listed, Err(VcsError::Empty { .. })), "{listed:?}");
}

fn contents(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let (entry, kind) = entry.map(|entry| (entry.path(), entry.file_type().unwrap())).unwrap();
            let name = entry.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            if kind.is_dir() {
                pending.push(entry);
            } else if kind.is_symlink() {
                found
                    .insert(name, fs::read_link(&entry).unwrap().to_string_lossy().into_owned().into_bytes());
            } else {
                found.insert(name, fs::read(&entry).unwrap());
            }
        }
    }
    found
}

#[tokio::test]
async fn a_checkout_by_archive_is_the_one_that_git_makes() {
    let (world, commit) = odd();
    world.serve_archive(&commit);
    let by_api =
        world.provider(CodeAccess::Api).checkout(&world.reference(), &commit, &world.ctx).await.unwrap();
    let asked = world.asked();
    assert_eq!(asked, [TREE, COMMIT, TARBALL], "three requests, and one at the host of archives");
    let [archive] = &world.asked_for_archives()[..] else { panic!("one archive") };
    assert_eq!(archive.header("authorization"), None, "another host gets no token");
    let elsewhere = World::new(GitFixture::existing(world.host.repository("acme/support"), commit.clone()));
    let provider = elsewhere.provider(CodeAccess::Git);
    let by_git = provider.checkout(&elsewhere.reference(), &commit, &elsewhere.ctx).await.unwrap();
    assert_eq!(contents(&by_api.path), contents(&by_git.path));
    let again =
        world.provider(CodeAccess::Api).checkout(&world.reference(), &commit, &world.ctx).await.unwrap();
    assert_eq!(again.path, by_api.path);
    assert_eq!(world.asked(), asked, "what is kept is not asked for");
}

#[tokio::test]
async fn what_attributes_keep_out_of_an_archive_is_brought_one_by_one() {
    let fixture = GitFixture::new();
    for number in 0..12 {
        write(&fixture.repository, &format!("kept/{number}"), format!("{number}\n").as_bytes());
    }
    write(&fixture.repository, "tests/test_agent.py", b"assert True\n");
    write(&fixture.repository, "version", b"$Format:%H$\n");
    write(
        &fixture.repository,
        ".gitattributes",
        b"tests export-ignore\nversion export-subst\n* text=auto eol=crlf\n",
    );
    let commit = World::commit_all(&fixture);
    let world = World::new(fixture);
    world.serve(&commit);
    world.serve_archive(&commit);
    let checkout =
        world.provider(CodeAccess::Api).checkout(&world.reference(), &commit, &world.ctx).await.unwrap();
    let found = contents(&checkout.path);
    assert_eq!(found["tests/test_agent.py"], b"assert True\n");
    assert_eq!(found["version"], b"$Format:%H$\n");
    assert_eq!(found["kept/3"], b"3\n");
}

#[tokio::test]
async fn many_files_of_one_commit_are_brought_at_once() {
    let fixture = GitFixture::new();
    for number in 0..40 {
        write(&fixture.repository, &format!("many/{number}"), format!("{number}\n").as_bytes());
    }
    let commit = World::commit_all(&fixture);
    let world = World::new(fixture);
    world.serve(&commit);
    world.serve_archive(&commit);
    let provider = world.provider(CodeAccess::Api);
    for number in 0..40 {
        let content = read(&world, &provider, &commit, &format!("many/{number}"), 100).await;
        assert!(matches!(content, FileContent::Text { text, .. } if *text == *format!("{number}\n")));
    }
    assert_eq!(world.api.asked_of(TARBALL).len(), 1);
    assert!(world.api.asked_of(BLOB).len() <= 9, "{:?}", world.api.asked_of(BLOB).len());
}

#[tokio::test]
async fn the_next_commit_brings_only_what_changed() {
    let (world, commit) = odd();
    world.serve_archive(&commit);
    let provider = world.provider(CodeAccess::Api);
    drop(provider.checkout(&world.reference(), &commit, &world.ctx).await.unwrap());
    let previous = world.source.tip.clone();
    world.serve(&previous);
    drop(provider.checkout(&world.reference(), &previous, &world.ctx).await.unwrap());
    assert_eq!(world.api.asked_of(TARBALL).len(), 1);
    assert_eq!(world.api.asked_of(BLOB).len(), 0, "all its files are in the newer commit, too");
}

/// An archive with one entry of any kind, gzipped.
fn archive(name: &[u8], kind: tar::EntryType, link: Option<&str>, size: u64, body: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o777);
    if let Some(link) = link {
        header.set_link_name(link).unwrap();
    }
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(body);
    bytes.resize(bytes.len().next_multiple_of(512) + 1024, 0);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &bytes).unwrap();
    packed.finish().unwrap()
}

#[tokio::test]
async fn a_hostile_archive_writes_nothing_of_its_own() {
    use tar::EntryType::{Link, Regular, Symlink};
    let bomb = vec![0; 64 << 20];
    for hostile in [
        archive(b"x/../../../../escaped", Regular, None, 5, b"pwned"),
        archive(b"/escaped", Regular, None, 5, b"pwned"),
        archive(b"x/app/agent.py", Symlink, Some("/etc/passwd"), 0, b""),
        archive(b"x/app/agent.py", Link, Some("/etc/passwd"), 0, b""),
        archive(b"x/app/agent.py", Regular, None, 5, b"pwned"),
        archive(b"x/app/agent.py", Regular, None, u64::from(u32::MAX), b""),
        archive(b"x/bomb", Regular, None, bomb.len() as u64, &bomb),
        b"no archive".to_vec(),
        Vec::new(),
    ] {
        let (world, commit) = odd();
        world.serve_bytes_as_archive(hostile);
        let provider = world.provider(CodeAccess::Api);
        match provider.checkout(&world.reference(), &commit, &world.ctx).await {
            // Everything was brought one by one.
            Ok(checkout) => {
                let found = contents(&checkout.path);
                assert!(!found.contains_key("escaped") && !found.values().any(|bytes| bytes == b"pwned"));
            }
            Err(error) => assert!(matches!(error, VcsError::BadAnswer { .. }), "{error:?}"),
        }
        assert!(!Path::new("/escaped").exists() && !world.source.root().join("escaped").exists());
    }
}

#[tokio::test]
async fn an_archive_with_the_content_of_lfs_is_used_as_far_as_there_is_room() {
    let (world, commit) = odd();
    let content = vec![0; 64 << 20];
    let size = content.len() as u64;
    world.serve_bytes_as_archive(archive(b"x/big.lfs", tar::EntryType::Regular, None, size, &content));
    let provider = world.provider(CodeAccess::Api);
    let checkout = provider.checkout(&world.reference(), &commit, &world.ctx).await.unwrap();
    assert_eq!(contents(&checkout.path)["big.lfs"], LFS);
}

#[tokio::test]
async fn bounds_hold_before_anything_is_brought() {
    let (world, commit) = odd();
    for limits in [
        GitLimits::default().with_checkout_entries(3),
        GitLimits::default().with_checkout_bytes(10),
        GitLimits::default().with_file_bytes(10),
    ] {
        let provider = world.provider(CodeAccess::Api).with_limits(limits);
        let made = provider.checkout(&world.reference(), &commit, &world.ctx).await;
        assert!(matches!(made, Err(VcsError::TooLarge { .. })), "{made:?}");
    }
    assert_eq!(world.api.asked_of(TARBALL).len() + world.api.asked_of(BLOB).len(), 0);
}

#[tokio::test]
async fn a_listing_that_is_not_the_tree_of_the_commit_is_refused() {
    let (world, commit) = odd();
    world.serve_archive(&commit);
    world.api.on_where(COMMIT, &[("commit_sha", commit.as_str())], [Choice::example()]);
    let made = world.provider(CodeAccess::Api).checkout(&world.reference(), &commit, &world.ctx).await;
    let Err(VcsError::Unreadable { reason, .. }) = &made else { panic!("{made:?}") };
    assert!(reason.contains("install git"), "{reason}");
}
