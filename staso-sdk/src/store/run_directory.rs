//! The files of one run: `run.json`, `transcript.jsonl` and `patch.diff`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use staso_core::id::RunId;
use staso_core::run::{EventSink, RunArtifact, RunEvent};

/// How long lines may wait in memory before they are on disk.
const SYNC_AFTER: Duration = Duration::from_millis(100);

/// A directory with the files of one run, `<data>/runs/<run id>/`.
///
/// As an [`EventSink`] it appends every event to `transcript.jsonl`; lines are on disk at the latest 100 ms after the
/// event. [`finish`](Self::finish) completes it with `patch.diff` and, last, `run.json`: a directory with `run.json`
/// is complete. Clones write to the same files.
#[derive(Debug, Clone)]
pub struct RunDirectory {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    run_id: RunId,
    transcript: Mutex<Option<Transcript>>,
}

#[derive(Debug)]
struct Transcript {
    /// Not bounded here: the recorder of a run stops at 100,000 events, and dropping one would break the chain.
    lines: mpsc::Sender<String>,
    thread: JoinHandle<io::Result<()>>,
}

/// The files of a run cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunDirectoryError {
    /// The operating system refused.
    #[error("cannot write {}; check permissions and free space", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The artifact belongs to another run.
    #[error("the artifact is of run {artifact}, the directory of run {directory}")]
    OtherRun {
        /// The run of the artifact.
        artifact: RunId,
        /// The run of the directory.
        directory: RunId,
    },
}

impl RunDirectory {
    /// Makes `<data>/runs/<run id>/` with an empty transcript. Blocks for a moment.
    ///
    /// # Errors
    /// When the directory cannot be made, or a transcript is already there.
    pub fn create(data: impl AsRef<Path>, run_id: RunId) -> Result<Self, RunDirectoryError> {
        let path = data.as_ref().join("runs").join(run_id.to_string());
        fs::create_dir_all(&path).map_err(failed(&path))?;
        let file_path = path.join("transcript.jsonl");
        let open = || {
            let file = File::create_new(&file_path)?;
            let (lines, received) = mpsc::channel();
            let thread = std::thread::Builder::new()
                .name("staso-transcript".to_owned())
                .spawn(move || write_lines(file, &received))?;
            Ok(Transcript { lines, thread })
        };
        let transcript = Mutex::new(Some(open().map_err(failed(&file_path))?));
        Ok(Self { inner: Arc::new(Inner { path, run_id, transcript }) })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Closes the transcript, then writes `patch.diff` where there is a fix, then `run.json`. Each file appears whole or
    /// not at all. Later events are ignored.
    ///
    /// # Errors
    /// Which file cannot be written, and why.
    pub async fn finish(&self, artifact: &RunArtifact) -> Result<(), RunDirectoryError> {
        let (this, artifact) = (self.clone(), artifact.clone());
        let path = self.inner.path.clone();
        let written = tokio::task::spawn_blocking(move || this.finish_blocking(&artifact)).await;
        written.unwrap_or_else(|error| Err(failed(&path)(io::Error::other(error))))
    }

    fn finish_blocking(&self, artifact: &RunArtifact) -> Result<(), RunDirectoryError> {
        let Inner { path, run_id, transcript } = &*self.inner;
        if artifact.run_id != *run_id {
            return Err(RunDirectoryError::OtherRun { artifact: artifact.run_id, directory: *run_id });
        }
        let open = transcript.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Transcript { lines, thread }) = open {
            drop(lines);
            let ended =
                thread.join().unwrap_or_else(|_| Err(io::Error::other("the writing thread panicked")));
            ended.map_err(failed(&path.join("transcript.jsonl")))?;
        }
        if let Some(fix) = &artifact.fix {
            write_whole(&path.join("patch.diff"), fix.diff.as_bytes())?;
        }
        let target = path.join("run.json");
        let mut text = serde_json::to_vec_pretty(artifact).map_err(|error| failed(&target)(error.into()))?;
        text.push(b'\n');
        write_whole(&target, &text)
    }
}

impl EventSink for RunDirectory {
    fn emit(&self, event: &RunEvent) {
        let Ok(mut line) = serde_json::to_string(event) else { return };
        line.push('\n');
        let transcript = self.inner.transcript.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(transcript) = transcript.as_ref() {
            // The thread ends early only when the disk fails, which `finish` reports.
            drop(transcript.lines.send(line));
        }
    }
}

/// Appends lines until the last sender is gone.
fn write_lines(file: File, lines: &mpsc::Receiver<String>) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    let mut unsynced = false;
    loop {
        match lines.recv_timeout(SYNC_AFTER) {
            Ok(line) => {
                out.write_all(line.as_bytes())?;
                for line in lines.try_iter() {
                    out.write_all(line.as_bytes())?;
                }
                out.flush()?;
                unsynced = true;
            }
            Err(RecvTimeoutError::Timeout) if unsynced => {
                out.get_ref().sync_data()?;
                unsynced = false;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                out.flush()?;
                return out.get_ref().sync_all();
            }
        }
    }
}

/// Writes beside the target and renames, so that nobody ever sees half a file.
fn write_whole(target: &Path, content: &[u8]) -> Result<(), RunDirectoryError> {
    let beside = target.with_extension("part");
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, target)?;
        #[cfg(unix)]
        if let Some(folder) = target.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    };
    write().map_err(failed(target))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> RunDirectoryError {
    let path = path.to_path_buf();
    move |source| RunDirectoryError::Io { path, source }
}
