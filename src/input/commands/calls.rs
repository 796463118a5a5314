//! Calls of services that were handed on and wait for an answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::hub::lock;
use crate::hub::responder::Responder;

/// Calls of all clients that wait at once.
const MAX_WAITING: usize = 10_000;

/// A thread that has had no call to wait for during this time ends.
const IDLE: Duration = Duration::from_secs(10);

pub(super) type Answer = Responder<Result<Bytes, String>>;

/// The input that offers a service, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct InputId(u64);

/// What wait for answers, each under an id that is not used again. An answer that has not come in time is a failure.
pub(super) struct Calls {
    /// How long an answer is waited for; None: for ever.
    timeout: Option<Duration>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    last: u64,
    last_input: u64,
    /// Inputs that have not ended.
    inputs: BTreeSet<InputId>,
    /// All wait equally long, so that the first id is due first.
    waiting: BTreeMap<u64, Waiting>,
    /// There is a thread that waits for what is due.
    watched: bool,
    ended: bool,
}

struct Waiting {
    input: InputId,
    service: Arc<str>,
    due: Option<Instant>,
    answer: Answer,
}

impl Calls {
    /// `timeout` of zero: an answer is waited for as long as its input is there.
    pub(super) fn new(timeout: Duration) -> Self {
        let timeout = (!timeout.is_zero()).then_some(timeout);
        Self { timeout, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Another input, until [`Calls::end_input`].
    pub(super) fn begin_input(&self) -> InputId {
        let mut state = lock(&self.state);
        state.last_input += 1;
        let input = InputId(state.last_input);
        state.inputs.insert(input);
        input
    }

    /// A new call, which this input is to answer: its id. None if that can't be; it has been answered then.
    pub(super) fn begin(self: &Arc<Self>, input: InputId, service: &Arc<str>, answer: Answer) -> Option<u64> {
        let mut state = lock(&self.state);
        let refused = if !state.inputs.contains(&input) {
            Some(gone(service))
        } else {
            let most = || format!("{MAX_WAITING} calls wait for an answer already");
            (state.waiting.len() >= MAX_WAITING).then(most)
        };
        if let Some(reason) = refused {
            drop(state);
            answer.respond(Err(reason));
            return None;
        }
        let due = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        state.last += 1;
        let id = state.last;
        state.waiting.insert(id, Waiting { input, service: service.clone(), due, answer });
        self.changed.notify_one();
        if due.is_some() && !std::mem::replace(&mut state.watched, true) {
            let calls = self.clone();
            let thread = std::thread::Builder::new().name("calls".into());
            if let Err(error) = thread.spawn(move || calls.watch()) {
                tracing::warn!("no thread to watch calls, which are not timed then: {error}");
                state.watched = false;
            }
        }
        Some(id)
    }

    /// An input answers a call. One that has been given up is no error.
    pub(super) fn respond(
        &self,
        input: InputId,
        id: u64,
        result: Result<Bytes, String>,
    ) -> Result<(), String> {
        let mut state = lock(&self.state);
        match state.waiting.get(&id) {
            Some(waiting) if waiting.input != input => {
                Err(format!("call {id} is not of a service of this input"))
            }
            Some(_) => {
                let answered = state.waiting.remove(&id);
                drop(state);
                answered.into_iter().for_each(|waiting| waiting.answer.respond(result.clone()));
                Ok(())
            }
            None if (1..=state.last).contains(&id) => {
                tracing::debug!("the answer to call {id} is late, or the second one");
                Ok(())
            }
            None => Err(format!("there is no call {id}")),
        }
    }

    /// Fails a call that could not be handed on.
    pub(super) fn fail(&self, id: u64, reason: String) {
        let failed = lock(&self.state).waiting.remove(&id);
        failed.into_iter().for_each(|waiting| waiting.answer.respond(Err(reason.clone())));
    }

    /// An input has ended: what it has not answered fails.
    pub(super) fn end_input(&self, input: InputId) {
        let mut state = lock(&self.state);
        let of_input = |(id, waiting): (&u64, &Waiting)| (waiting.input == input).then_some(*id);
        let ids: Vec<u64> = state.waiting.iter().filter_map(of_input).collect();
        state.inputs.remove(&input);
        let ended: Vec<Waiting> = ids.iter().filter_map(|id| state.waiting.remove(id)).collect();
        drop(state);
        for Waiting { service, answer, .. } in ended {
            answer.respond(Err(gone(&service)));
        }
    }

    /// Ends the thread; what waits is answered as if it had been dropped.
    pub(super) fn end(&self) {
        let mut state = lock(&self.state);
        state.ended = true;
        state.inputs.clear();
        let unanswered = std::mem::take(&mut state.waiting);
        drop(state);
        self.changed.notify_all();
        drop(unanswered);
    }

    /// On a thread: fails what is due.
    fn watch(&self) {
        let mut state = lock(&self.state);
        let mut idle_since = Instant::now();
        while !state.ended {
            let now = Instant::now();
            let next = state.waiting.values().next().and_then(|waiting| waiting.due);
            let pause = match next {
                Some(due) if due <= now => {
                    let Some((id, Waiting { service, answer, .. })) = state.waiting.pop_first() else {
                        continue;
                    };
                    drop(state);
                    let timeout = self.timeout.unwrap_or_default();
                    tracing::debug!("call {id} of {service} got no answer within {timeout:?}");
                    answer.respond(Err(format!("{service} gave no answer within {timeout:?}")));
                    state = lock(&self.state);
                    continue;
                }
                Some(due) => {
                    idle_since = due;
                    due - now
                }
                None if now.duration_since(idle_since) >= IDLE => break,
                None => IDLE,
            };
            state = self.changed.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.watched = false;
    }
}

pub(super) fn gone(service: &str) -> String {
    format!("the program that provides {service} has gone")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    fn answer() -> (Answer, Receiver<Result<Bytes, String>>) {
        let (sender, answers) = channel();
        let answer = Responder::new(move |answer: Result<_, _>| {
            // nobody waits where a test does not ask
            sender
                .send(answer.unwrap_or_else(|none: crate::hub::responder::NoAnswer| Err(none.to_string())))
                .ok();
        });
        (answer, answers)
    }

    /// Calls, two inputs, and the name of a service.
    fn calls(timeout: Duration) -> (Arc<Calls>, [InputId; 2], Arc<str>) {
        let calls = Arc::new(Calls::new(timeout));
        let inputs = [calls.begin_input(), calls.begin_input()];
        (calls, inputs, "/s".into())
    }

    #[test]
    fn each_call_gets_the_answer_with_its_id_once() {
        let (calls, [a, _], service) = calls(Duration::ZERO);
        let waiting: Vec<_> = (0..1000)
            .map(|_| {
                let (responder, answers) = answer();
                (calls.begin(a, &service, responder).unwrap(), answers)
            })
            .collect();
        for (id, _) in waiting.iter().rev() {
            calls.respond(a, *id, Ok(id.to_string().into())).unwrap();
            calls.respond(a, *id, Ok("again".into())).unwrap();
        }
        for (id, answers) in waiting {
            assert_eq!(answers.iter().collect::<Vec<_>>(), [Ok(Bytes::from(id.to_string()))]);
        }
    }

    #[test]
    fn no_answer_in_time_is_a_failure_and_a_late_one_no_error() {
        let (calls, [a, _], service) = calls(Duration::from_millis(30));
        let begin = Instant::now();
        let (responder, answers) = answer();
        let id = calls.begin(a, &service, responder).unwrap();
        assert_eq!(answers.recv().unwrap(), Err("/s gave no answer within 30ms".to_owned()));
        assert!(begin.elapsed() >= Duration::from_millis(30));
        assert_eq!(calls.respond(a, id, Ok(Bytes::new())), Ok(()));
        // the thread goes on with the next
        let (responder, answers) = answer();
        calls.begin(a, &service, responder).unwrap();
        assert!(answers.recv().unwrap().is_err());
        calls.end();
    }

    #[test]
    fn what_an_input_has_not_answered_fails_when_it_ends() {
        let (calls, [a, b], service) = calls(Duration::ZERO);
        let ((one, of_one), (other, of_other)) = (answer(), answer());
        calls.begin(a, &service, one).unwrap();
        let id = calls.begin(b, &service, other).unwrap();
        calls.end_input(a);
        let (late, of_late) = answer();
        assert_eq!(calls.begin(a, &service, late), None);
        let gone = Err("the program that provides /s has gone".to_owned());
        assert_eq!((of_one.recv().unwrap(), of_late.recv().unwrap()), (gone.clone(), gone));
        assert!(of_other.try_recv().is_err());
        calls.respond(b, id, Ok("{}".into())).unwrap();
        assert_eq!(of_other.recv().unwrap(), Ok("{}".into()));
    }

    #[test]
    fn an_answer_to_what_was_not_asked_is_refused() {
        let (calls, [a, b], service) = calls(Duration::ZERO);
        let (responder, answers) = answer();
        let id = calls.begin(a, &service, responder).unwrap();
        assert_eq!(calls.respond(a, 0, Ok(Bytes::new())), Err("there is no call 0".to_owned()));
        assert_eq!(calls.respond(a, id + 1, Ok(Bytes::new())), Err(format!("there is no call {}", id + 1)));
        assert!(
            calls.respond(b, id, Ok(Bytes::new())).unwrap_err().contains("not of a service of this input")
        );
        assert!(answers.try_recv().is_err(), "it still waits");
        calls.end();
        assert!(answers.recv().unwrap().is_err());
    }

    #[test]
    fn more_calls_than_allowed_fail() {
        let (calls, [a, _], service) = calls(Duration::ZERO);
        let kept: Vec<_> = (0..MAX_WAITING)
            .map(|_| {
                let (responder, answers) = answer();
                calls.begin(a, &service, responder).unwrap();
                answers
            })
            .collect();
        let (responder, answers) = answer();
        assert_eq!(calls.begin(a, &service, responder), None);
        assert!(answers.recv().unwrap().unwrap_err().contains("wait for an answer already"));
        drop(kept);
    }
}
