//! What a client may have at once: what is more is answered once, and the limit is named.

use super::*;
use crate::hub::{ClientLimits, HubOptions};

fn limited(limits: ClientLimits) -> Hub {
    Hub::new("test", HubOptions { limits, ..HubOptions::default() })
}

#[test]
fn subscriptions_beyond_the_limit_are_refused_with_one_status() {
    let hub = limited(ClientLimits { subscriptions: 2, ..ClientLimits::default() });
    let registry = Registry::default();
    let channels: Vec<_> = ["/a", "/b", "/c", "/d"].iter().map(|topic| channel(&registry, topic)).collect();
    hub.publisher().announce(&channels);
    let mut client = Client::join(&hub);
    let all = channels.iter().zip(1..);
    let all = all.map(|(channel, id)| Subscription { id: SubscriptionId(id), channel_id: channel.id });
    let sent = client.say(ClientMessage::Subscribe(all.collect()));
    assert_eq!(error(&sent), "subscription 3 and 1 others: a client may have 2 subscriptions at once");
    assert_eq!(client.say(ClientMessage::Unsubscribe(vec![SubscriptionId(1)])), []);
    assert_eq!(client.say(subscribe(3, channels[2].id)), []);
    let sent = client.say(subscribe(4, channels[3].id));
    assert_eq!(error(&sent), "subscription 4: a client may have 2 subscriptions at once");
    // others have their own
    assert_eq!(Client::join(&hub).say(subscribe(4, channels[3].id)), []);
}

#[test]
fn requests_of_all_kinds_count_together_until_they_are_answered() {
    let hub = limited(ClientLimits { requests: 1, ..ClientLimits::default() });
    let (assets, fetches) = asked();
    hub.provide_assets(assets).unwrap();
    hub.provide_parameters(Arc::new(Store::default())).unwrap();
    let services = hub.provide_services().unwrap();
    let (provider, _calls) = asked::<(ServiceCall, Responder<Result<Bytes, String>>)>();
    let handle = services.add(service("/set"), provider).unwrap();
    let (player, _requests) = asked::<(PlaybackRequest, Responder<PlaybackState>)>();
    hub.provide_playback(player, TimeRange { start: Timestamp(0), end: Timestamp(9) }).unwrap();
    let mut client = Client::join(&hub);
    assert_eq!(client.say(fetch(1)), []);
    let busy = "1 requests of this client wait for an answer, and no more may; try again later";
    assert_eq!(client.say(fetch(2)), [asset(2, Err(busy))]);
    assert_eq!(client.say(call(handle.id(), 3)), [failure(handle.id(), 3, busy)]);
    let get = || ClientMessage::GetParameters(GetParameters { parameter_names: vec![], id: None });
    assert_eq!(error(&client.say(get())), format!("getParameters: {busy}"));
    let set = ClientMessage::SetParameters(SetParameters { parameters: vec![], id: None });
    assert_eq!(error(&client.say(set)), format!("setParameters: {busy}"));
    let control = ClientMessage::PlaybackControlRequest(PlaybackControlRequest {
        command: PlaybackCommand::Play,
        speed: 1.0,
        seek: None,
        request_id: "r".into(),
    });
    assert_eq!(error(&client.say(control)), format!("playback control request \"r\": {busy}"));
    drop(fetches.recv());
    assert_eq!(client.news().len(), 1);
    assert_eq!(client.say(get()), [values(vec![], None)]);
}

#[test]
fn channels_names_and_ids_beyond_their_limits_are_refused() {
    let hub = limited(ClientLimits { channels: 1, parameters: 2, request_id: 3, ..ClientLimits::default() });
    hub.provide_publish(Arc::new(Published::default())).unwrap();
    hub.provide_parameters(Arc::new(Store::default())).unwrap();
    let (player, _requests) = asked::<(PlaybackRequest, Responder<PlaybackState>)>();
    hub.provide_playback(player, TimeRange { start: Timestamp(0), end: Timestamp(9) }).unwrap();
    let mut client = Client::join(&hub);
    assert_eq!(client.say(advertise(1, "json")), []);
    let sent = client.say(advertise(2, "json"));
    assert_eq!(error(&sent), "advertise: channel 2 (/t2): a client may publish on 1 channels at once");
    let mut follow = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        client.say(ClientMessage::SubscribeParameterUpdates(names))
    };
    assert_eq!(follow(&["a", "b"]), []);
    assert_eq!(follow(&["a", "b"]), [], "they are followed already");
    let sent = follow(&["c"]);
    assert_eq!(error(&sent), "subscribeParameterUpdates: too many names: a client may follow 2 at once");
    assert_eq!(follow(&[]), [], "all of them are no names");
    let control = ClientMessage::PlaybackControlRequest(PlaybackControlRequest {
        command: PlaybackCommand::Play,
        speed: 1.0,
        seek: None,
        request_id: "1234".into(),
    });
    assert!(error(&client.say(control)).contains("4 bytes, 3 are allowed"));
}
