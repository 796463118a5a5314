"""Rules of the viewer Lichtblick that no other trial asks for: see docs/conformance.md."""

from bridge import OLD, SDK, Client, check, equal, serving
from capabilities import DRIVE, Asking
from lines import call, failure, response, service, talking


async def lichtblick():
    await call_ids()
    await declared_again()
    await asked_again()
    await graph_in_each_session()


async def call_ids():
    """Ids of calls go on across connections, and two clients use the same ones."""
    async with talking("-") as server:
        await server.write({"op": "service", "name": "/set"})
        first, other = [await Client.connect(server, OLD, SDK) for _ in range(2)]
        id = await service(first, "/set")
        await service(other, "/set")
        await call(first, id, 1, {"of": "first"})
        await call(other, id, 1, {"of": "other"})
        lines = await server.heard.until("call", 2)
        await server.write(*({"op": "response", "id": line["id"], "data": line["data"]} for line in lines))
        equal((await response(first, 1), await response(other, 1)), ({"of": "first"}, {"of": "other"}), "responses")
        # it leaves while a call waits; the answer to that is nobody's, also under the number that it uses next
        await call(first, id, 2)
        left = (await server.heard.until("call", 3))[2]
        await first.socket.close()
        again = await Client.connect(server, OLD, SDK)
        equal(await service(again, "/set"), id, "id of the service")
        await call(again, id, 3, {"of": "again"})
        await call(again, id, 2, {"of": "again"})
        await server.write({"op": "response", "id": left["id"], "data": {"of": "first"}})
        for line in (await server.heard.until("call", 5))[3:]:
            await server.write({"op": "response", "id": line["id"], "data": line["data"]})
        equal((await response(again, 3), await response(again, 2)), ({"of": "again"},) * 2, "responses")
        equal(len([event for event in again.events if event[0] == "response"]), 2, "responses")


async def declared_again():
    """A service that its program declares again takes the place of the one before, for who calls it by the new id."""
    async with talking("-") as server:
        await server.write({"op": "service", "name": "/set", "request": {"title": "One", "type": "object"}})
        client = await Client.connect(server, OLD, SDK)
        old = await service(client, "/set")
        await call(client, old, 1)
        waits, = await server.heard.until("call")
        await server.write({"op": "service", "name": "/set", "request": {"title": "Two", "type": "object"}})
        await client.until(lambda _: len(client.texts("advertiseServices")) == 2, "the service again")
        new = await service(client, "/set")
        check(new != old, "the id is given again")
        equal(client.texts("unadvertiseServices")[0]["serviceIds"], [old], "what was taken back")
        request = client.texts("advertiseServices")[-1]["services"][0]["request"]
        equal((request["encoding"], request["schemaEncoding"], request["schemaName"]), ("json", "jsonschema", "Two"), "schema")
        await call(client, new, 2)
        line = (await server.heard.until("call", 2))[1]
        await server.write({"op": "response", "id": line["id"], "data": {"n": 2}},
                           {"op": "response", "id": waits["id"], "data": {"n": 1}})
        equal(await response(client, 2), {"n": 2}, "response of the new one")
        await call(client, old, 3)
        check("there is no service" in await failure(client, 3), "the old id")

        def outcomes(_=None):
            responses = [e for e in client.events if e[0] == "response" and e[1] == 1]
            return responses + [text for text in client.texts("serviceCallFailure") if text["callId"] == 1]
        await client.until(outcomes, "an answer to the call that waited for the old one")
        equal(len(outcomes()), 1, "answers to the call that waited for the old one")


async def asked_again():
    """All parameters are asked for under one id, by several timers at once; each time all of them come."""
    async with serving(DRIVE, "--param", "a=1", "--param", "key:byte_array=AQL/", "--start-paused") as server:
        viewer = Asking(await Client.connect(server, OLD, SDK))
        for _ in range(3):
            await viewer.say("getParameters", parameterNames=[], id="get-all-params")
        await viewer.fence()
        answers = viewer.client.texts("parameterValues")
        equal([answer["id"] for answer in answers], ["get-all-params"] * 3, "ids")
        for answer in answers:
            names = {parameter["name"] for parameter in answer["parameters"]}
            equal(names, {"a", "key", "playback.rate", "playback.paused", "playback.loop", "playback.position"}, "names")
        # it sends bytes wrong from 0x80 on
        await viewer.say("setParameters", id="u", parameters=[{"name": "key", "value": "\x80\xff", "type": "byte_array"}])
        await viewer.status(2, "base64")
        got = await viewer.values("getParameters", parameterNames=["key"])
        equal(got, {"key": ("AQL/", "byte_array")}, "what holds")


async def graph_in_each_session():
    """The graph is followed again in each session; each time it comes whole, and never a status."""
    async with serving(DRIVE, "--playback-duration", "300ms", "--loop", "--start-on", "launch") as server:
        viewer = Asking(await Client.connect(server, OLD))
        updates = lambda: viewer.client.texts("connectionGraphUpdate")
        for session in range(1, 4):
            await viewer.client.until(lambda _: len(viewer.client.texts("serverInfo")) == session, "a session", 60)
            before = len(updates())
            await viewer.say("subscribeConnectionGraph")
            await viewer.client.until(lambda _: len(updates()) > before, "the graph")
            update = updates()[before]
            equal(sorted(update), ["advertisedServices", "op", "publishedTopics", "removedServices", "removedTopics",
                                   "subscribedTopics"], "fields")
            check("/tf" in [topic["name"] for topic in update["publishedTopics"]], update)
        equal(viewer.client.texts("status"), [], "statuses")


TRIALS = dict(lichtblick=lichtblick)
