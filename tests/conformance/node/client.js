// A client made of npm's mqtt package: goes through an exchange and says what came, as JSON.
// node client.js URL PROTOCOL_VERSION
const mqtt = require("mqtt");

const [url, version] = [process.argv[2], Number(process.argv[3])];
const five = version === 5;

function open(clientId, more = {}) {
  const properties = five ? { sessionExpiryInterval: 60, topicAliasMaximum: 5 } : undefined;
  return mqtt.connectAsync(url, {
    clientId,
    protocolVersion: version,
    clean: false,
    reconnectPeriod: 0,
    properties,
    ...more,
  });
}

function collect(client) {
  const came = [];
  client.on("message", (topic, payload, packet) =>
    came.push({
      topic,
      payload: payload.toString(),
      qos: packet.qos,
      retain: packet.retain,
      user: packet.properties?.userProperties ?? null,
      expiry: packet.properties?.messageExpiryInterval ?? null,
    }),
  );
  return came;
}

async function until(came, count) {
  while (came.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function main() {
  const listener = await open("node-listener");
  const came = collect(listener);
  const granted = await listener.subscribeAsync({ "plant/+": { qos: 2 } });
  const will = { topic: "plant/gone", payload: "sender is gone", qos: 1 };
  const sender = await open("node-sender", { will });
  const properties = five
    ? { userProperties: { unit: "kPa", batch: ["1", "2"] }, messageExpiryInterval: 100 }
    : undefined;
  for (const qos of [0, 1, 2])
    await sender.publishAsync("plant/p", `qos ${qos}`, { qos, properties });
  await until(came, 3);
  await listener.endAsync();
  await sender.publishAsync("plant/p", "while away", { qos: 1 });
  await sender.publishAsync("plant/kept", "retained", { qos: 1, retain: true });
  const again = mqtt.connect(url, {
    clientId: "node-listener",
    protocolVersion: version,
    clean: false,
    reconnectPeriod: 0,
    properties: five ? { sessionExpiryInterval: 60 } : undefined,
  });
  const later = collect(again);
  const connack = await new Promise((resolve) => again.once("connect", resolve));
  await until(later, 2);
  sender.stream.destroy();
  await until(later, 3);
  await again.subscribeAsync("plant/kept");
  await until(later, 4);
  await again.endAsync();
  process.stdout.write(
    JSON.stringify({ granted, came, resumed: connack.sessionPresent, later }) + "\n",
  );
  process.exit(0);
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
