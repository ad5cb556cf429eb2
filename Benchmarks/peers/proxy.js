// What a team writes by hand: a proxy of node:http with a keep-alive agent, and a split by a hash of the user.
const http = require("node:http");
const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });
const [port, monolith, service] = process.argv.slice(2).map(Number);

function share(user) {
  let hash = 2166136261;
  for (let i = 0; i < user.length; i++) hash = Math.imul(hash ^ user.charCodeAt(i), 16777619);
  return (hash >>> 0) % 100;
}

http.createServer((request, response) => {
  const splits = request.url.startsWith("/tasks/");
  const target = splits && share(request.headers["x-user"] || "") < 50 ? service : monolith;
  const headers = { ...request.headers, "x-forwarded-for": request.socket.remoteAddress };
  delete headers.connection;
  const forward = http.request({ agent, port: target, method: request.method, path: request.url, headers }, (answer) => {
    const fields = { ...answer.headers };
    delete fields.connection;
    delete fields["transfer-encoding"];
    response.writeHead(answer.statusCode, fields);
    answer.pipe(response);
  });
  forward.on("error", () => response.writeHead(502).end());
  request.pipe(forward);
}).listen(port, "127.0.0.1", 4096);
