//! What the host asks for, one request at a time.

use super::{Files, MAX_WALKS, Server, Walk, refusal_frame};
use crate::changes::{self, Bounds};
use crate::comparison::Comparison;
use crate::files::{self, Refusal};
use crate::keeper::Keeper;
use crate::launch::Failure;
use crate::running::Running;
use crate::tree::TreeWalk;
use crate::wire::{Command, Decoder, Encoder, TreeLimits, refusal, reply, request};

impl Server<'_> {
    /// Carries out one request.
    pub(super) fn dispatch(&mut self, kind: u8, id: u32, body: &[u8]) {
        let outcome = match kind {
            request::EXEC => self.exec(id, body),
            request::KILL => {
                self.walks.retain(|walk| walk.id() != id);
                self.running.iter_mut().filter(|command| command.id == id).for_each(Running::kill);
                Ok(())
            }
            request::READ => self.read(id, body),
            request::WRITE => self.write(id, body),
            request::CHANGES => self.changes(id, body),
            request::TREE => self.tree(id, body),
            request::PING => Ok(()),
            _ => Err(malformed()),
        };
        if let Err(refused) = outcome {
            self.refuse(id, &refused);
        }
        self.send();
    }

    fn refuse(&mut self, id: u32, refused: &Refusal) {
        self.outgoing.extend(refusal_frame(id, refused));
    }

    fn exec(&mut self, id: u32, body: &[u8]) -> Result<(), Refusal> {
        let command = Command::decode(body).ok_or_else(malformed)?;
        let refused =
            |failure: Failure| Refusal { code: refusal::SYSTEM, errno: failure.errno, text: failure.step };
        let keeper = match self.idle.pop() {
            Some(keeper) => keeper,
            None => Keeper::new(self.jail).map_err(refused)?,
        };
        self.running.push(Running::start(keeper, id, command).map_err(refused)?);
        Ok(())
    }

    fn read(&mut self, id: u32, body: &[u8]) -> Result<(), Refusal> {
        let mut body = Decoder::new(body);
        let (Some(path), Some(most)) = (body.bytes(), body.u64()) else { return Err(malformed()) };
        let content = files::read(self.files.workspace(), path, most)?;
        self.outgoing.extend(Encoder::new(reply::CONTENT, id).bytes(&content).finish());
        Ok(())
    }

    fn write(&mut self, id: u32, body: &[u8]) -> Result<(), Refusal> {
        let mut body = Decoder::new(body);
        let (Some(path), Some(content), Some(executable)) = (body.bytes(), body.bytes(), body.u8()) else {
            return Err(malformed());
        };
        files::write(self.files.workspace(), path, content, executable != 0)?;
        self.outgoing.extend(Encoder::new(reply::DONE, id).finish());
        Ok(())
    }

    fn tree(&mut self, id: u32, body: &[u8]) -> Result<(), Refusal> {
        let limits = TreeLimits::decode(body).ok_or_else(malformed)?;
        match self.files {
            Files::Layers(_) => self.start_walk(Walk::Tree(TreeWalk::new(id, limits))),
            Files::Received(_) => Err(Refusal::new(refusal::INVALID, "the host has the checkout itself")),
        }
    }

    fn start_walk(&mut self, walk: Walk) -> Result<(), Refusal> {
        if self.walks.len() >= MAX_WALKS {
            return Err(Refusal::new(refusal::INVALID, "too many trees are being read"));
        }
        self.walks.push(walk);
        Ok(())
    }

    fn changes(&mut self, id: u32, body: &[u8]) -> Result<(), Refusal> {
        let bounds = match body {
            [] => Bounds::STRICT,
            body => Bounds::within(TreeLimits::decode(body).ok_or_else(malformed)?),
        };
        let session = match self.files {
            Files::Layers(session) => session,
            Files::Received(_) => return self.start_walk(Walk::Changes(Comparison::new(id, bounds))),
        };
        for (path, (kind, content)) in changes::list(session, bounds)? {
            let frame = Encoder::after(std::mem::take(&mut self.outgoing), reply::CHANGE, id);
            self.outgoing = frame.bytes(&path).u8(kind).bytes(&content).finish();
        }
        self.outgoing.extend(Encoder::new(reply::DONE, id).finish());
        Ok(())
    }
}

const fn malformed() -> Refusal {
    Refusal::new(refusal::INVALID, "the request is malformed")
}
