// VideoSDK's own client, so many at a time. Usage: node vendor.mjs URL CONCURRENCY LIST
import { readFileSync } from "node:fs";
import { VideoSDK } from "@videosdk.live/server-sdk";

const [apiEndpoint, concurrency, list] = process.argv.slice(2);
const secret = "a-secret-of-at-least-thirty-two-bytes";
const { sip } = new VideoSDK({ apiKey: "benchmark", secret, apiEndpoint, maxRetries: 0 });
const lines = readFileSync(list, "utf8").trimEnd().split("\n").values();

async function work() {
  for (const line of lines) await sip.phoneNumbers.detach(line.split(" ")[1]);
}

await Promise.all(Array.from({ length: Number(concurrency) }, work));
