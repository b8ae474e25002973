//! Texts made from an artifact: the diagnosis card and the pull request.
