// Preloaded into servers that listen on port 8765 whatever is said: they get a free one, and say which on stdout.
const net = require("node:net");
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (first, ...more) {
  if (first?.port === 8765) {
    first = { ...first, port: 0, host: "127.0.0.1" };
    this.once("listening", () => process.stdout.write(`port ${this.address().port}\n`));
  }
  return listen.call(this, first, ...more);
};
