// What a team writes by hand: a proxy of node:http with a keep-alive agent, a split by a hash of the user, a view of three
// answers, and a list with its users.
const http = require("node:http");
const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });
const [port, monolith, service, tasks, users, comments, lists] = process.argv.slice(2).map(Number);

function share(user) {
  let hash = 2166136261;
  for (let i = 0; i < user.length; i++) hash = Math.imul(hash ^ user.charCodeAt(i), 16777619);
  return (hash >>> 0) % 100;
}

function read(port, path) {
  return new Promise((resolve, reject) => {
    http.get({ agent, port, path }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("error", reject);
      answer.on("end", () => {
        if (answer.statusCode !== 200) return reject(new Error(`${path}: ${answer.statusCode}`));
        try {
          resolve(JSON.parse(Buffer.concat(parts)));
        } catch (error) {
          reject(error);
        }
      });
    }).on("error", reject);
  });
}

async function view(id) {
  const found = read(tasks, `/tasks/${id}`);
  const [task, user, remarks] = await Promise.all([
    found,
    found.then((task) => read(users, `/users/${encodeURIComponent(task.user_id)}`)),
    read(comments, `/tasks/${id}/comments`),
  ]);
  return { task, user, comments: remarks };
}

async function list() {
  const found = await read(lists, "/tasks?size=50");
  const ids = [...new Set(found.items.map((task) => task.user_id))].map(encodeURIComponent);
  const users = new Map((await read(lists, `/users?ids=${ids.join(",")}`)).items.map((user) => [user.id, user]));
  for (const task of found.items) task.user = users.get(task.user_id);
  return found;
}

function answer(response, value) {
  value.then((value) => {
    const text = Buffer.from(JSON.stringify(value));
    response.writeHead(200, { "content-type": "application/json", "content-length": text.length }).end(text);
  }, () => response.writeHead(502).end());
}

const server = http.createServer((request, response) => {
  const details = /^\/tasks\/([^/]+)\/details$/.exec(request.url);
  if (details) return answer(response, view(details[1]));
  if (request.url === "/list") return answer(response, list());
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
  forward.on("error", () => { if (!response.headersSent) response.writeHead(502).end(); });
  // A client that leaves in the middle of an answer would keep its connection to the upstream for ever.
  response.on("close", () => forward.destroy());
  request.pipe(forward);
});
server.keepAliveTimeout = 3_600_000;
server.listen(port, "127.0.0.1", 4096);
