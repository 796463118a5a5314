//! What is asked of the server through the handle of a client: each is answered exactly once.

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use super::error::RequestError;
use super::handle::Client;
use super::owner::Command;
use super::publication::{ClientTopic, Publication};
use super::state::{Change, Deadline, Followed, PlaybackChange, Reply, Request, ServiceResponse};
use crate::protocol::{Parameter, PlaybackState};

impl Client {
    /// Values of parameters; no names: of all. Parameters that are not set are not in the answer.
    pub async fn get_parameters<N: Into<String>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Vec<Parameter>, RequestError> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let bytes = names.iter().map(String::len).sum();
        self.request(bytes, |reply| Request::GetParameters(names, reply)).await
    }

    /// Sets parameters, and removes those without a value. The answer has the values that the server has now, which need not
    /// be those that were asked for.
    pub async fn set_parameters(&self, parameters: Vec<Parameter>) -> Result<Vec<Parameter>, RequestError> {
        let bytes = serde_json::to_vec(&parameters).map_or(0, |json| json.len());
        self.request(bytes, |reply| Request::SetParameters(parameters, reply)).await
    }

    /// Asks to be told of parameters whenever they change, by [`Event::Parameters`](super::Event::Parameters), also after the
    /// client has connected again; no names: of all.
    pub async fn follow_parameters<N: Into<String>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<(), RequestError> {
        let names = names.into_iter().map(Into::into).collect();
        self.change(Change::Follow(Followed::from_names(names))).await
    }

    /// Ends [`Client::follow_parameters`] for some, or for all.
    pub async fn unfollow_parameters<N: Into<String>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<(), RequestError> {
        let names = names.into_iter().map(Into::into).collect();
        self.change(Change::Unfollow(Followed::from_names(names))).await
    }

    /// Asks to be told of changes of the connection graph, by [`Event::Graph`](super::Event::Graph), from all that there is on.
    pub async fn follow_graph(&self) -> Result<(), RequestError> {
        self.change(Change::FollowGraph).await
    }

    /// Ends [`Client::follow_graph`].
    pub async fn unfollow_graph(&self) -> Result<(), RequestError> {
        self.change(Change::UnfollowGraph).await
    }

    /// Calls a service with a request in the encoding that the service names.
    pub async fn call(
        &self,
        service: &str,
        request: impl Into<Bytes>,
    ) -> Result<ServiceResponse, RequestError> {
        self.call_in(service, None, request.into()).await
    }

    /// Calls a service with a request in this encoding, one that the server supports.
    pub async fn call_as(
        &self,
        service: &str,
        encoding: &str,
        request: impl Into<Bytes>,
    ) -> Result<ServiceResponse, RequestError> {
        self.call_in(service, Some(encoding.to_owned()), request.into()).await
    }

    async fn call_in(
        &self,
        service: &str,
        encoding: Option<String>,
        request: Bytes,
    ) -> Result<ServiceResponse, RequestError> {
        let name = service.to_owned();
        self.request(request.len(), |reply| Request::Call(name, encoding, request, reply)).await
    }

    /// Fetches a file, for example `package://robot/meshes/arm.stl`.
    pub async fn fetch_asset(&self, uri: &str) -> Result<Bytes, RequestError> {
        let uri = uri.to_owned();
        self.request(uri.len(), |reply| Request::FetchAsset(uri, reply)).await
    }

    /// Asks for playback to go on differently. The answer is its state after that.
    pub async fn control_playback(&self, change: PlaybackChange) -> Result<PlaybackState, RequestError> {
        self.request(0, |reply| Request::Playback(change, reply)).await
    }

    /// What playback is doing, as the server has said last; None if it has said nothing a second after it was connected to.
    pub async fn playback_state(&self) -> Result<Option<PlaybackState>, RequestError> {
        self.request(0, Request::PlaybackState).await
    }

    /// Tells the server of a channel on which this client publishes.
    pub async fn advertise(&self, topic: &ClientTopic) -> Result<Publication, RequestError> {
        let id = self.link.next_channel();
        let channel = topic.to_channel(id).map_err(|error| RequestError::Failed(error.to_string()))?;
        // made first: if this call is dropped or runs out of time, the channel is taken back
        let publication = Publication { id, link: self.link.clone() };
        self.change(Change::Advertise(channel)).await?;
        Ok(publication)
    }

    async fn change(&self, change: Change) -> Result<(), RequestError> {
        let (sender, answer) = oneshot::channel();
        // nobody may wait for it any more
        self.link.command(Command::Change(change, Box::new(move |changed| drop(sender.send(changed)))));
        // the task may not get to it, since the connection takes nothing
        match timeout(self.timeout, answer).await {
            Ok(answered) => answered.unwrap_or(Err(RequestError::Closed)),
            Err(_) => Err(RequestError::TimedOut(self.timeout)),
        }
    }

    async fn request<T: Send + 'static>(
        &self,
        bytes: usize,
        request: impl FnOnce(Reply<T>) -> Request,
    ) -> Result<T, RequestError> {
        let deadline = Deadline { at: (Instant::now() + self.timeout).into_std(), after: self.timeout };
        let timed_out = || RequestError::TimedOut(self.timeout);
        let permit =
            timeout(self.timeout, self.link.permit(bytes)).await.map_err(|_elapsed| timed_out())??;
        let (sender, answer) = oneshot::channel();
        // given back with the answer, also if nobody waits for it any more: so many requests at once are bounded
        let reply = Box::new(move |answer| {
            drop(permit);
            drop(sender.send(answer));
        });
        self.link.command(Command::Request(request(reply), deadline));
        // also where the task does not get to it, since the connection takes nothing
        match timeout_at(deadline.at.into(), answer).await {
            Ok(answered) => answered.unwrap_or(Err(RequestError::Closed)),
            Err(_) => Err(timed_out()),
        }
    }
}
