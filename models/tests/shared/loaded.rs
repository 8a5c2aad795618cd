//! Networks that may not be on this machine.

use models::ModelError;

/// What was loaded; none, with a line that says so, when its weights are not there.
pub fn loaded<T>(engine: Result<T, ModelError>) -> Option<T> {
    match engine {
        Ok(engine) => Some(engine),
        Err(ModelError::Missing { id, .. }) => {
            eprintln!("skipped: {id} is not there, run `models fetch`");
            None
        }
        Err(error) => panic!("{error}"),
    }
}
