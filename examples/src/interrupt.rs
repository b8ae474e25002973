//! Ctrl-C: the first one cancels, the second one ends the program at once.

use tokio_util::sync::CancellationToken;

/// Exit code of a program that was ended by Ctrl-C.
pub const EXIT_CODE: u8 = 130;

/// A token that the first Ctrl-C cancels. Must be called inside of a tokio runtime.
#[must_use]
pub fn token() -> CancellationToken {
    let token = CancellationToken::new();
    let cancel = token.clone();
    tokio::spawn(async move {
        // Where signals cannot be listened to, the system's own way of ending the program stays in force.
        if tokio::signal::ctrl_c().await.is_ok() {
            cancel.cancel();
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(i32::from(EXIT_CODE));
            }
        }
    });
    token
}
