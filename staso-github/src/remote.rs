//! Any git remote, as a [`VcsProvider`]: branches are pushed, and a link to compare them is the proposal.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use staso_core::code::RepoPath;
use staso_core::id::{BranchName, CommitId};
use staso_core::run::RunContext;
use staso_core::trace::{RepositoryUrl, SourceRevision};
use staso_core::vcs::{
    Access, Checkout, FileContent, Proposal, ProposalAction, ProposalState, ProposeRequest, RepositoryRef,
    ResolvedSource, Tree, VcsError, VcsProvider,
};

use crate::address::RemoteAddress;
use crate::blocking::Stop;
use crate::compare_link::CompareLink;
use crate::credentials::{CredentialSource, NoCredentials};
use crate::git::transport::{Advertised, GitTransport, TransportKind, transport};
use crate::git::{self, Ancestry, CheckoutCache, CommitStore, GitRepository, ProposalRecord};
use crate::limits::GitLimits;
use crate::publish::{CommitMessage, GitBranches, Publication, Published, publish};

/// The provider's name in errors.
const PROVIDER: &str = "git-remote";

/// Serves one repository on a git server that is not GitHub, or that is to be used without its API.
///
/// A proposal is a branch with one commit on the newest commit of its base. There is no pull request: the commit carries
/// title and message, its trailers say the base and whether it is a draft, and [`Proposal::url`] is the page where a
/// person opens one ([`CompareLink`]). [`Proposal::state`] follows the branches: merged when the base has the commit in
/// its history or all that it changes, closed when the branch is gone, else the draft or open proposal that was asked for.
/// A squash merge is no longer seen once the base changes the same lines again. The body and the
/// labels of a proposal are not carried; labels are warned of.
///
/// Another process with another data directory finds a proposal by its branch. One whose branch is gone is known to the
/// data directory of the run that proposed it.
///
/// Commits are fetched one by one and without history, by the git program. Whether one is in the history of another is
/// looked up among the newest [`GitLimits::history_commits`].
///
/// # Examples
/// ```
/// use std::sync::Arc;
///
/// use staso_github::{CompareLink, GitCredentials, GitRemote};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let token = secrecy::SecretString::from("t");
/// let recorded = "https://git.acme.com/shop/support".parse()?;
/// let provider = GitRemote::new("/var/lib/staso", recorded, "https://git.acme.com/shop/support.git".parse()?)
///     .with_credentials(Arc::new(GitCredentials::new("oauth2", token)))
///     .with_compare_link(CompareLink::GitLab);
/// # drop(provider);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct GitRemote {
    data: PathBuf,
    recorded: RepositoryUrl,
    address: RemoteAddress,
    credentials: Arc<dyn CredentialSource>,
    link: CompareLink,
    limits: GitLimits,
    transport: Arc<dyn GitTransport>,
}

/// A proposal as its commit or its record tells.
#[derive(Debug)]
struct Known {
    base: BranchName,
    /// The commit that ours stands on.
    base_tip: CommitId,
    head: CommitId,
    draft: bool,
}

impl GitRemote {
    /// Serves the repository that traces record as `recorded` from `address`. Commits and checkouts are kept below `data`,
    /// a directory of its own that is made on first use. What is in it is for this user alone; nobody else may be able to
    /// write there.
    pub fn new(data: impl Into<PathBuf>, recorded: RepositoryUrl, address: RemoteAddress) -> Self {
        let data = data.into();
        let limits = GitLimits::default();
        Self {
            data: std::path::absolute(&data).unwrap_or(data),
            recorded,
            address,
            credentials: Arc::new(NoCredentials),
            link: CompareLink::Guessed,
            transport: transport(TransportKind::Auto, &limits),
            limits,
        }
    }

    /// Sets who git says it is. Default: nobody.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Arc<dyn CredentialSource>) -> Self {
        self.credentials = credentials;
        self
    }

    /// Sets the upper bounds.
    #[must_use]
    pub fn with_limits(mut self, limits: GitLimits) -> Self {
        self.transport = transport(TransportKind::Auto, &limits);
        self.limits = limits;
        self
    }

    /// Sets where people look at a proposal. Default: [`CompareLink::Guessed`].
    #[must_use]
    pub fn with_compare_link(mut self, link: CompareLink) -> Self {
        self.link = link;
        self
    }

    fn id(&self) -> String {
        format!("git:{}", self.address)
    }

    /// The branches of the repository at `url`, which must be ours.
    fn branches(&self, url: &RepositoryUrl) -> Result<GitBranches, VcsError> {
        if *url != self.recorded {
            return Err(VcsError::Unsupported { url: url.clone(), provider: PROVIDER });
        }
        let store = CommitStore::new(
            &self.data,
            &self.id(),
            self.recorded.clone(),
            self.address.clone(),
            self.limits.clone(),
            Arc::clone(&self.transport),
        );
        Ok(GitBranches::new(store, Arc::clone(&self.credentials)))
    }

    /// The branch that `HEAD` names, else one of a usual name, else the only one.
    fn default_branch(&self, listed: &Advertised) -> Result<(BranchName, CommitId), VcsError> {
        let usual = git::USUAL_NAMES.iter().filter_map(|name| BranchName::new(name).ok());
        let named = listed.head.clone().into_iter().chain(usual);
        let mut found = named.filter_map(|name| listed.branches.get_key_value(&name));
        let mut all = listed.branches.iter();
        match (found.next(), all.next(), all.next()) {
            (Some((name, tip)), _, _) | (None, Some((name, tip)), None) => Ok((name.clone(), tip.clone())),
            (None, None, _) => Err(VcsError::Empty { url: self.recorded.clone() }),
            (None, Some(_), Some(_)) => Err(VcsError::Unreadable {
                url: self.recorded.clone(),
                reason: "its HEAD names no branch, and there is neither a main nor a master; set its default branch"
                    .to_owned(),
            }),
        }
    }

    fn reference(&self, default_branch: BranchName) -> RepositoryRef {
        RepositoryRef { id: self.id(), url: self.recorded.clone(), default_branch, archived: false }
    }

    /// Keeps what the branch will not tell when it is gone.
    async fn remember(
        &self,
        branches: &GitBranches,
        publication: Publication,
        made: &Published,
        ctx: &RunContext,
    ) -> Result<(), VcsError> {
        let record = ProposalRecord::new(
            &publication,
            &CommitMessage::new(&publication)?,
            &made.branch,
            &made.base_tip,
            &made.head,
        );
        let is_new = made.action == ProposalAction::Created;
        let work = move |repository: &GitRepository, _: &Stop| {
            // A branch of the same name may have been made, recorded and removed before.
            let old = ProposalRecord::read(repository, &record.branch)?.map(|(blob, _)| blob);
            record.write(repository, old.filter(|_| is_new)).map(drop)
        };
        branches.store().work("recording a proposal", ctx, work).await
    }

    /// What this data directory knows of a proposal.
    async fn recorded(
        &self,
        branches: &GitBranches,
        branch: &BranchName,
        ctx: &RunContext,
    ) -> Result<Option<Known>, VcsError> {
        if !branches.store().directory().exists() {
            return Ok(None);
        }
        let branch = branch.clone();
        let read = branches
            .store()
            .work("reading a proposal", ctx, move |repository, _| ProposalRecord::read(repository, &branch));
        let record = match read.await {
            // It was removed to make room since.
            Err(VcsError::RepositoryNotFound { .. }) => None,
            record => record?,
        };
        Ok(record.map(|(_, ProposalRecord { base, base_tip, head, draft, .. })| Known {
            base,
            base_tip,
            head,
            draft,
        }))
    }

    /// What stands at a branch, when it is a proposal.
    async fn standing(
        &self,
        branches: &GitBranches,
        tip: &CommitId,
        default: Option<&BranchName>,
        ctx: &RunContext,
    ) -> Result<Option<Known>, VcsError> {
        let Some((own, base_tip)) = branches.own_trailers(tip, ctx).await? else { return Ok(None) };
        let base = own.base.or_else(|| default.cloned());
        Ok(base.map(|base| Known { base, base_tip, head: tip.clone(), draft: own.draft }))
    }

    /// Merged, closed, or as it was asked for.
    async fn state(
        &self,
        branches: &GitBranches,
        known: &Known,
        stands: bool,
        ctx: &RunContext,
    ) -> Result<ProposalState, VcsError> {
        let mut listed = branches.list(&[known.base.to_string()], ctx).await?;
        // While the base stands where the proposal was made, nothing was merged.
        if let Some(tip) = listed.branches.remove(&known.base).filter(|tip| *tip != known.base_tip) {
            branches.ensure(std::slice::from_ref(&tip), ctx).await?;
            if branches.holds(&tip, [&known.base_tip, &known.head], ctx).await?
                || branches.ancestry(&tip, &known.head, ctx).await? == Ancestry::Within
            {
                return Ok(ProposalState::Merged);
            }
        }
        Ok(match (stands, known.draft) {
            (false, _) => ProposalState::Closed,
            (true, true) => ProposalState::Draft,
            (true, false) => ProposalState::Open,
        })
    }

    fn proposal(&self, branch: BranchName, known: Known, state: ProposalState) -> Proposal {
        Proposal {
            url: self.link.of(&self.recorded, &self.address, &known.base, &branch),
            branch,
            base: known.base,
            head: known.head,
            state,
            action: ProposalAction::Reused,
            signature: None,
            warnings: Vec::new(),
        }
    }
}

#[async_trait]
impl VcsProvider for GitRemote {
    async fn resolve(&self, source: &SourceRevision, ctx: &RunContext) -> Result<ResolvedSource, VcsError> {
        let branches = self.branches(source.repository_url.as_ref().ok_or(VcsError::NoRepository)?)?;
        let commit = source.commit.clone().ok_or(VcsError::NoCommit)?;
        let listed = branches.list(&[], ctx).await?;
        let (default_branch, default_tip) = self.default_branch(&listed)?;
        let mut notes = Vec::new();
        let named = source.branch.as_ref().map(|name| (name, listed.branches.get(name)));
        let (base_branch, base_tip) = match named {
            Some((name, Some(tip))) => (name.clone(), tip.clone()),
            Some((name, None)) => {
                notes.push(git::gone_note(name, &default_branch));
                (default_branch.clone(), default_tip)
            }
            None => (default_branch.clone(), default_tip),
        };
        branches.ensure(&[commit.clone(), base_tip.clone()], ctx).await?;
        match branches.ancestry(&base_tip, &commit, ctx).await? {
            Ancestry::Within => {}
            Ancestry::Outside => notes.push(format!(
                "commit {commit} is not in the history of {base_branch}: it was never merged, the branch was rewritten, \
                 or it belongs to a fork; the fix is for {base_branch}"
            )),
            Ancestry::Unknown => notes.push(format!(
                "commit {commit} is not among the newest {} commits of {base_branch}: it is older, was never merged, or \
                 belongs to a fork; the fix is for {base_branch}",
                self.limits.history_commits
            )),
        }
        let repository = self.reference(default_branch);
        Ok(ResolvedSource { repository, commit, base_branch, base_tip, notes })
    }

    async fn preflight(
        &self,
        repository: &RepositoryRef,
        access: Access,
        ctx: &RunContext,
    ) -> Result<(), VcsError> {
        let branches = self.branches(&repository.url)?;
        if access == Access::Propose && repository.archived {
            return Err(VcsError::Archived { url: repository.url.clone() });
        }
        let listed = branches.list(&[], ctx).await?;
        let (_, tip) = self.default_branch(&listed)?;
        match access {
            Access::Read => Ok(()),
            Access::Propose if listed.branches.keys().any(|name| name.as_str() == "fix") => {
                Err(git::name_in_the_way(&repository.url))
            }
            Access::Propose => branches.may_push(&tip, ctx).await,
        }
    }

    async fn read_file(
        &self,
        repository: &RepositoryRef,
        commit: &CommitId,
        path: &RepoPath,
        max_bytes: u64,
        ctx: &RunContext,
    ) -> Result<FileContent, VcsError> {
        let branches = self.branches(&repository.url)?;
        branches.ensure(std::slice::from_ref(commit), ctx).await?;
        let (commit, path) = (commit.clone(), path.clone());
        let read = branches.store().work("reading a file", ctx, move |repository, _| {
            git::read_file(repository, &commit, &path, max_bytes)
        });
        read.await
    }

    async fn list_tree(
        &self,
        repository: &RepositoryRef,
        commit: &CommitId,
        max_entries: usize,
        ctx: &RunContext,
    ) -> Result<Tree, VcsError> {
        let branches = self.branches(&repository.url)?;
        branches.ensure(std::slice::from_ref(commit), ctx).await?;
        let commit = commit.clone();
        let listed = branches.store().work("listing files", ctx, move |repository, stop| {
            git::list_tree(repository, &commit, max_entries, stop)
        });
        listed.await
    }

    async fn checkout(
        &self,
        repository: &RepositoryRef,
        commit: &CommitId,
        ctx: &RunContext,
    ) -> Result<Checkout, VcsError> {
        let branches = self.branches(&repository.url)?;
        branches.ensure(std::slice::from_ref(commit), ctx).await?;
        let cache = CheckoutCache::new(self.data.clone(), self.limits.clone());
        let (commit, now) = (commit.clone(), git::system_time(ctx.now()));
        let made = branches
            .store()
            .work("checking out", ctx, move |repository, stop| cache.acquire(repository, &commit, now, stop));
        made.await
    }

    async fn propose(&self, request: &ProposeRequest<'_>, ctx: &RunContext) -> Result<Proposal, VcsError> {
        let branches = self.branches(&request.repository.url)?;
        if request.repository.archived {
            return Err(VcsError::Archived { url: self.recorded.clone() });
        }
        let publication = Publication::new(request, ctx);
        let made = publish(&branches, &publication, &self.limits, ctx).await?;
        let draft = request.changes.draft;
        let known = Known {
            base: made.base.clone(),
            base_tip: made.base_tip.clone(),
            head: made.head.clone(),
            draft,
        };
        // The branch is there: from here on nothing may make the run say that it is not.
        if let Err(error) = self.remember(&branches, publication, &made, ctx).await {
            tracing::warn!(%error, branch = %made.branch, "a proposal could not be recorded");
        }
        let fresh = if draft { ProposalState::Draft } else { ProposalState::Open };
        let state = match made.action {
            ProposalAction::Created => fresh,
            _ => self.state(&branches, &known, true, ctx).await.unwrap_or(fresh),
        };
        let mut warnings = made.warnings;
        if !request.changes.labels.is_empty() {
            warnings.push("a plain git remote has no labels; none were set".to_owned());
        }
        Ok(Proposal { action: made.action, warnings, ..self.proposal(made.branch, known, state) })
    }

    async fn proposal_status(
        &self,
        repository: &RepositoryRef,
        branch: &BranchName,
        ctx: &RunContext,
    ) -> Result<Proposal, VcsError> {
        let branches = self.branches(&repository.url)?;
        let recorded = self.recorded(&branches, branch, ctx).await?;
        let mut listed = branches.list(&[branch.to_string()], ctx).await?;
        let standing = match listed.branches.remove(branch) {
            Some(tip) => self.standing(&branches, &tip, listed.head.as_ref(), ctx).await?,
            None => None,
        };
        let stands = standing.is_some();
        let missing = || VcsError::ProposalNotFound { branch: branch.clone() };
        let known = standing.or(recorded).ok_or_else(missing)?;
        let state = self.state(&branches, &known, stands, ctx).await?;
        Ok(self.proposal(branch.clone(), known, state))
    }
}
