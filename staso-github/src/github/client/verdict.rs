//! What to do about one attempt.

use std::time::Duration;

use staso_core::run::RunContext;

use super::exchange::Broken;
use super::limit::{Limit, retry_after};
use super::{ApiAnswer, ApiRequest, SendError};

/// What to do about one attempt.
#[derive(Debug)]
pub(super) enum Verdict {
    Done(Result<ApiAnswer, SendError>),
    /// Come again later, whatever the request is: it was not carried out.
    Limited(Limit),
    /// It may be repeated, not before `pause` when the server says so; `otherwise` is what there is without.
    Again {
        pause: Option<Duration>,
        otherwise: Result<ApiAnswer, SendError>,
    },
}

impl Verdict {
    pub(super) fn of(request: &ApiRequest, attempt: Result<ApiAnswer, Broken>, ctx: &RunContext) -> Self {
        match attempt {
            Ok(answer) => Self::of_answer(request, answer, ctx),
            Err(Broken::NotSent { reason }) => {
                Self::Again { pause: None, otherwise: Err(SendError::Unreachable { reason }) }
            }
            Err(Broken::Lost { reason }) => {
                Self::unsure(request, reason.clone(), None, Err(SendError::Unreachable { reason }))
            }
            Err(Broken::Unusable { reason }) => {
                Self::unsure(request, reason.clone(), None, Err(SendError::BadAnswer { reason }))
            }
            Err(Broken::Ended(SendError::TimedOut { limit_ms })) => {
                let reason = format!("no answer within {limit_ms} ms");
                Self::unsure(request, reason, None, Err(SendError::TimedOut { limit_ms }))
            }
            Err(Broken::Ended(SendError::TooLarge { max_bytes })) if !request.is_repeatable() => {
                Self::Done(Err(SendError::Lost {
                    reason: format!("an answer longer than {max_bytes} bytes"),
                }))
            }
            Err(Broken::Ended(ended)) => Self::Done(Err(ended)),
        }
    }

    fn of_answer(request: &ApiRequest, answer: ApiAnswer, ctx: &RunContext) -> Self {
        if let Some(limit) = Limit::of(&answer, ctx.now()) {
            return Self::Limited(limit);
        }
        let reason = format!("status {}", answer.status);
        match answer.status {
            502..=504 => {
                let pause = retry_after(&answer.headers, answer.date().unwrap_or_else(|| ctx.now()));
                Self::unsure(request, reason, pause, Ok(answer))
            }
            500 | 505..=599 if !request.is_repeatable() => Self::Done(Err(SendError::Lost { reason })),
            _ => Self::Done(Ok(answer)),
        }
    }

    /// Nobody knows whether the request was carried out.
    fn unsure(
        request: &ApiRequest,
        reason: String,
        pause: Option<Duration>,
        otherwise: Result<ApiAnswer, SendError>,
    ) -> Self {
        if request.is_repeatable() {
            Self::Again { pause, otherwise }
        } else {
            Self::Done(Err(SendError::Lost { reason }))
        }
    }
}
