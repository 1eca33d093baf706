// Drives a server with VideoSDK's own client and prints what the client made of it, as JSON.
// Usage: node client.mjs URL API_KEY SECRET NUMBER
import { VideoSDK, isVideoSDKError } from "@videosdk.live/server-sdk";

const [apiEndpoint, apiKey, secret, number] = process.argv.slice(2);
const { sip } = new VideoSDK({ apiKey, secret, apiEndpoint, maxRetries: 0 });

async function collect(page) {
  const rows = [];
  for await (const row of page) rows.push(row);
  return rows;
}

async function refusal(promise) {
  try {
    return { answered: await promise };
  } catch (error) {
    if (!isVideoSDKError(error)) throw error;
    return { name: error.constructor.name, status: error.httpStatus, message: error.message };
  }
}

const first = await sip.phoneNumbers.list({ perPage: 2 });
const before = await sip.phoneNumbers.get(number);
const inbound = await sip.trunks.inbound.get(before.inbound.id);
const detached = await sip.phoneNumbers.detach(number);
const after = await sip.phoneNumbers.get(number);
const again = await refusal(sip.phoneNumbers.detach(number));
const unknown = await refusal(sip.phoneNumbers.detach("+19995550100"));
const created = await sip.phoneNumbers.create({
  name: "Back again",
  phoneNumbers: [number],
  inbound: { sipRegion: "auto" },
  outbound: { address: "sip.example.net", sipRegion: "auto" },
});

console.log(
  JSON.stringify({
    firstPage: { length: first.data.length, total: first.total, more: first.hasNextPage },
    listed: (await collect(first)).map((row) => row.phoneNumber.e164),
    found: (await collect(await sip.phoneNumbers.list({ search: number.slice(1) }))).length,
    before,
    inbound,
    detached,
    after,
    again,
    unknown,
    created,
    attachedAgain: await sip.phoneNumbers.get(number),
    outboundGateways: (await collect(await sip.trunks.outbound.list({ perPage: 1 }))).map((row) => row.id),
    rules: await collect(await sip.routingRules.list()),
    calls: await collect(await sip.calls.list()),
  }),
);
