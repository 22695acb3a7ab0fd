/* The bell and the list of a chimeway inbox, for any page: no build, no framework, nothing inline.
 *
 *   <link rel="stylesheet" href="https://notify.example.com/static/deliveries/chimeway-inbox.css">
 *   <script src="https://notify.example.com/static/deliveries/chimeway-inbox.js" defer></script>
 *   <div data-chimeway-inbox data-service="https://notify.example.com" data-subject="ada" data-token-url="/inbox-token"></div>
 *
 * `data-labels`, a JSON object, says the words of the bell in another language: any of `LABELS` below.
 * `data-token-url` is an address of your own that answers {"token", "expires_at"} for who is signed in.
 * What the service says is only ever set as text, so an item cannot bring markup into the page.
 */
(() => {
  "use strict";

  const POLL_SECONDS = 30;
  const SILENCE_SECONDS = 45; // three heartbeats of the service
  const PAGE = 20;
  const LABELS = {
    title: "Notifications",
    bell_unread: "Notifications, {count} unread",
    bell_read: "Notifications, none unread",
    unread: "{count} unread",
    item_unread: "(unread)",
    empty: "Nothing new.",
    read_all: "Mark all as read",
    older: "Older",
    archive: "Archive",
    archive_item: "Archive: {title}",
    failed: "That did not work. Try again.",
  };

  /** The words of a bell: those that its page gives, and ours for the rest. */
  function labelsOf(text) {
    let given = {};
    try {
      given = JSON.parse(text || "{}") || {};
    } catch (error) {
      console.warn("chimeway-inbox: data-labels is no JSON");
    }
    const said = (name) => (typeof given[name] === "string" ? given[name] : LABELS[name]);
    return (name, values = {}) => said(name).replace(/\{(\w+)\}/g, (place, key) => (key in values ? String(values[key]) : place));
  }

  /** REST of one inbox. Asks the page's own server for a token when it has none that lives. */
  class Service {
    constructor(base, subject, tokenUrl) {
      this.address = `${base.replace(/\/$/, "")}/v1/inbox/${encodeURIComponent(subject)}`;
      this.tokenUrl = tokenUrl;
      this.token = null;
    }

    async bearer() {
      if (!this.token || Date.parse(this.token.expires_at) - Date.now() < 5000) {
        const answer = await fetch(this.tokenUrl, { cache: "no-store", headers: { Accept: "application/json" } });
        if (!answer.ok) throw new Error(`The page gives no token: ${answer.status}`);
        this.token = await answer.json();
      }
      return this.token.token;
    }

    async ask(path, options = {}) {
      const send = async () =>
        fetch(this.address + path, {
          ...options,
          credentials: "omit",
          cache: "no-store",
          headers: { ...options.headers, Authorization: `Bearer ${await this.bearer()}` },
        });
      const answer = await send();
      if (answer.status !== 401) return answer;
      this.token = null; // its key was rotated, or this machine's clock is wrong: once more with another
      return send();
    }

    async read(path) {
      const answer = await this.ask(path);
      if (!answer.ok) throw new Error(`The service answers ${answer.status}`);
      return answer.json();
    }

    async mark(verb, body) {
      const headers = { "Content-Type": "application/json" };
      const answer = await this.ask(`/${verb}`, { method: "POST", headers, body: JSON.stringify(body) });
      if (!answer.ok) throw new Error(`The service answers ${answer.status}`);
      return answer.json();
    }
  }

  /** Server-sent events over fetch: unlike EventSource it sends headers, and sees a refusal and its Retry-After. */
  async function readEvents(answer, watch, tell) {
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      watch();
      const { value, done } = await reader.read();
      if (done) return;
      rest += value;
      const parts = rest.split("\n\n");
      rest = parts.pop();
      for (const part of parts) {
        const fields = {};
        for (const line of part.split("\n")) {
          const colon = line.indexOf(":");
          if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
        }
        if (fields.event) tell(fields.event, JSON.parse(fields.data), fields.id);
      }
    }
  }

  /** As the service lists them. Items of one instant are told apart by their ids, which are made in order. */
  function newestFirst(one, other) {
    const [mine, theirs] = one.created_at === other.created_at ? [one.id, other.id] : [one.created_at, other.created_at];
    return mine === theirs ? 0 : mine < theirs ? 1 : -1;
  }

  function element(name, properties = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(properties)) {
      if (key.startsWith("aria-") || key === "role") made.setAttribute(key, value);
      else made[key] = value;
    }
    made.append(...children);
    return made;
  }

  function bellPicture() {
    const space = "http://www.w3.org/2000/svg";
    const picture = document.createElementNS(space, "svg");
    picture.setAttribute("viewBox", "0 0 24 24");
    picture.setAttribute("aria-hidden", "true");
    const path = document.createElementNS(space, "path");
    path.setAttribute("d", "M12 2a6 6 0 0 0-6 6v4l-2 4v1h16v-1l-2-4V8a6 6 0 0 0-6-6zm-2.5 17a2.5 2.5 0 0 0 5 0z");
    picture.append(path);
    return picture;
  }

  let number = 0;

  class Inbox {
    constructor(root, base) {
      this.root = root;
      this.service = new Service(root.dataset.service || base, root.dataset.subject, root.dataset.tokenUrl);
      this.label = labelsOf(root.dataset.labels);
      this.items = new Map(); // by id
      this.counts = { unread: 0, unseen: 0 };
      this.next = null;
      this.build();
      document.addEventListener("visibilitychange", () => this.wake());
      this.follow();
    }

    build() {
      const id = `chimeway-inbox-${++number}`;
      this.badge = element("span", { className: "chimeway-badge", hidden: true, "aria-hidden": "true" });
      this.bell = element("button", { type: "button", className: "chimeway-bell" }, bellPicture(), this.badge);
      this.bell.setAttribute("aria-expanded", "false");
      this.bell.setAttribute("aria-controls", id);
      this.list = element("ul", { className: "chimeway-items" });
      this.empty = element("p", { className: "chimeway-empty", textContent: this.label("empty") });
      this.all = element("button", { type: "button", className: "chimeway-all", textContent: this.label("read_all") });
      this.older = element("button", { type: "button", className: "chimeway-older", hidden: true }, this.label("older"));
      this.said = element("p", { className: "chimeway-said", role: "status" });
      const title = this.label("title");
      const head = element("header", {}, element("h2", { textContent: title }), this.all);
      this.panel = element("section", { id, className: "chimeway-panel", hidden: true, "aria-label": title });
      this.panel.append(head, this.list, this.empty, this.older);
      this.root.classList.add("chimeway-inbox");
      this.root.replaceChildren(this.bell, this.panel, this.said);
      this.bell.addEventListener("click", () => this.open(this.panel.hidden));
      this.all.addEventListener("click", () => this.attempt(() => this.markAll()));
      this.older.addEventListener("click", () => this.attempt(() => this.load(this.next)));
      this.root.addEventListener("keydown", (pressed) => {
        if (pressed.key !== "Escape" || this.panel.hidden) return;
        this.open(false);
        this.bell.focus();
      });
      this.show();
    }

    open(wanted) {
      this.panel.hidden = !wanted;
      this.bell.setAttribute("aria-expanded", String(wanted));
      if (wanted) this.attempt(() => this.markSeen());
    }

    async attempt(act) {
      try {
        await act();
      } catch (error) {
        this.said.textContent = this.label("failed");
      }
    }

    async load(cursor = null) {
      const page = await this.service.read(`?limit=${PAGE}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
      if (!cursor) this.items.clear();
      for (const item of page.items) this.items.set(item.id, item);
      this.next = page.next;
      this.counts = { unread: page.unread, unseen: page.unseen };
      this.show();
      if (!this.panel.hidden) await this.markSeen();
    }

    async markSeen() {
      const unseen = [...this.items.values()].filter((item) => !item.seen_at).map((item) => item.id);
      if (unseen.length) await this.changed("seen", { items: unseen.slice(0, 200) }, unseen);
    }

    async markAll() {
      while ((await this.service.mark("read", { all: true })).more);
      await this.load();
    }

    async changed(verb, body, ids) {
      const column = { seen: "seen_at", read: "read_at", archive: "archived_at" }[verb];
      await this.service.mark(verb, body);
      for (const id of ids) if (this.items.has(id)) this.items.get(id)[column] ||= new Date().toISOString();
      this.counts = await this.service.read("/counts");
      this.show();
    }

    choose(item) {
      this.root.dispatchEvent(new CustomEvent("chimeway:item", { detail: item, bubbles: true }));
      if (!item.read_at) this.attempt(() => this.changed("read", { items: [item.id] }, [item.id]));
    }

    show() {
      const { unread } = this.counts;
      this.badge.textContent = unread > 99 ? "99+" : String(unread);
      this.badge.hidden = unread === 0;
      const label = this.label(unread ? "bell_unread" : "bell_read", { count: unread });
      if (this.bell.getAttribute("aria-label") !== label) {
        this.bell.setAttribute("aria-label", label);
        this.said.textContent = unread ? this.label("unread", { count: unread }) : "";
      }
      this.all.disabled = unread === 0;
      const current = [...this.items.values()].filter((item) => !item.archived_at);
      current.sort(newestFirst);
      const focused = document.activeElement?.dataset?.key;
      this.list.replaceChildren(...current.map((item) => this.line(item)));
      if (focused) this.list.querySelector(`[data-key="${focused}"]`)?.focus();
      this.empty.hidden = current.length > 0;
      this.older.hidden = !this.next;
    }

    line(item) {
      const when = element("time", { dateTime: item.created_at, textContent: new Date(item.created_at).toLocaleString() });
      const title = element("strong", { textContent: item.title });
      const text = element("span", { textContent: item.body });
      const choose = element("button", { type: "button", className: "chimeway-item" }, title, text, when);
      const away = element("button", { type: "button", className: "chimeway-archive" }, this.label("archive"));
      away.setAttribute("aria-label", this.label("archive_item", { title: item.title }));
      choose.dataset.key = `item-${item.id}`;
      away.dataset.key = `archive-${item.id}`;
      choose.addEventListener("click", () => this.choose(item));
      away.addEventListener("click", () => this.attempt(() => this.changed("archive", { items: [item.id] }, [item.id])));
      const line = element("li", {}, choose, away);
      line.classList.toggle("chimeway-unread", !item.read_at);
      if (!item.read_at) title.append(element("span", { className: "chimeway-said" }, ` ${this.label("item_unread")}`));
      return line;
    }

    /** Live while it can be, polling where it cannot, and nothing while nobody looks. Never ends. */
    async follow() {
      for (;;) {
        if (document.hidden) await this.visible();
        let pause = POLL_SECONDS;
        try {
          await this.load();
          pause = await this.stream();
        } catch (error) {
          this.root.dataset.state = navigator.onLine ? "polling" : "offline";
        }
        await this.sleep(pause);
      }
    }

    /** Follow the stream until it ends; how many seconds to wait before the next look. */
    async stream() {
      const abort = (this.aborting = new AbortController());
      const answer = await this.service.ask("/stream", { signal: abort.signal, headers: { Accept: "text/event-stream" } });
      if (!answer.ok) {
        this.root.dataset.state = "polling";
        return Number(answer.headers.get("Retry-After")) || POLL_SECONDS;
      }
      let silence;
      const watch = () => {
        clearTimeout(silence);
        silence = setTimeout(() => abort.abort(), SILENCE_SECONDS * 1000);
      };
      try {
        await readEvents(answer, watch, (name, data) => this.told(name, data));
      } catch (error) {
        if (!abort.signal.aborted) throw error;
      } finally {
        clearTimeout(silence);
      }
      return 1;
    }

    told(name, data) {
      if (name === "counts") {
        const first = this.root.dataset.state !== "live";
        this.counts = data;
        this.root.dataset.state = "live";
        if (first) this.attempt(() => this.load()); // what came between the list and the stream
        else this.show();
      } else if (name === "item") {
        this.items.set(data.id, data);
        this.show();
        if (!this.panel.hidden) this.attempt(() => this.markSeen());
      } else if (name === "reset") {
        this.attempt(() => this.load());
      } else if (name === "end") {
        this.root.dataset.state = "connecting";
        if (data.reason === "not_authenticated") this.service.token = null;
      }
    }

    wake() {
      if (document.hidden) this.aborting?.abort(); // a page that nobody looks at holds no place
      this.root.dataset.state = "connecting";
      this.stir?.();
    }

    sleep(seconds) {
      return new Promise((done) => {
        this.stir = done;
        setTimeout(done, seconds * 1000);
      });
    }

    visible() {
      return new Promise((done) => {
        const look = () => {
          if (document.hidden) return;
          document.removeEventListener("visibilitychange", look);
          done();
        };
        document.addEventListener("visibilitychange", look);
      });
    }
  }

  const own = document.currentScript ? new URL(document.currentScript.src).origin : location.origin;
  const start = () => {
    for (const root of document.querySelectorAll("[data-chimeway-inbox]")) new Inbox(root, own);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
