/* Keys in lists, search focus, bulk selection, confirmations. No inline handlers anywhere; pages mark elements with data-* attributes. */
(function () {
  "use strict";
  const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));
  const one = (selector, root) => (root || document).querySelector(selector);

  const typing = (target) => target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
  const rows = () => all("[data-row]");
  let at = -1;

  function moveTo(index) {
    const list = rows();
    if (!list.length) return;
    at = Math.max(0, Math.min(index, list.length - 1));
    list.forEach((row) => row.classList.remove("at"));
    list[at].classList.add("at");
    list[at].scrollIntoView({ block: "nearest" });
    const link = one("a[href]", list[at]);
    if (link) link.focus({ preventScroll: true });
  }

  function openRow() {
    const row = rows()[at];
    const link = row && (one("a[data-open]", row) || one("a[href]", row));
    if (link) link.click();
  }

  /* c, a, r: what the row at hand, or else the page, offers under that key. */
  function pressKey(key) {
    const place = rows()[at] || (rows().length ? null : document);
    const target = place && one(`[data-key="${key}"]:not(:disabled)`, place);
    if (target) target.click();
  }

  function toggleRow() {
    const box = rows()[at] && one("input[type=checkbox]", rows()[at]);
    if (box) box.click();
  }

  let waitingForGo = false;
  const go = { h: "/", i: "/tasks", t: "/tickets" };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (waitingForGo) {
      waitingForGo = false;
      if (go[event.key]) { event.preventDefault(); location.assign(go[event.key]); }
      return;
    }
    const acts = {
      j: () => moveTo(at + 1),
      k: () => moveTo(at - 1),
      o: openRow,
      x: toggleRow,
      c: () => pressKey("c"),
      a: () => pressKey("a"),
      r: () => pressKey("r"),
      g: () => { waitingForGo = true; },
      "/": () => { const box = one("[data-search]"); if (box) { box.focus(); box.select(); } },
      "?": () => { const help = one("#keys"); if (help) help.showModal(); },
    };
    if (acts[event.key]) { event.preventDefault(); acts[event.key](); }
  });

  /* Bulk selection: the count and the buttons follow the boxes. */
  function countChosen(form) {
    const boxes = all("input[data-choose]", form);
    const chosen = boxes.filter((box) => box.checked).length;
    all("[data-chosen]", form).forEach((place) => { place.textContent = String(chosen); });
    all("[data-needs-chosen]", form).forEach((button) => { button.disabled = chosen === 0; });
    const whole = one("input[data-choose-all]", form);
    if (whole) { whole.checked = chosen > 0 && chosen === boxes.length; whole.indeterminate = chosen > 0 && chosen < boxes.length; }
  }
  document.addEventListener("change", (event) => {
    const box = event.target;
    const form = box.closest("form, [data-bulk]");
    if (box.matches("[data-choose-all]")) all("input[data-choose]", form).forEach((other) => { other.checked = box.checked; });
    if (box.matches("[data-choose], [data-choose-all]")) countChosen(form);
    if (box.matches("[data-autosubmit]")) box.form.requestSubmit();
  });
  all("[data-bulk]").forEach(countChosen);

  /* A draft on its way is waited for, and none is sent once its form is. */
  let saving = null;
  let leaving = null;
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (leaving && leaving.contains(event.target)) event.preventDefault();
    else saving = event.target;
  });
  document.addEventListener("htmx:afterRequest", () => { saving = null; });

  /* Ask before what cannot be taken back; send a form once only. */
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const asks = (event.submitter && event.submitter.dataset.confirm) || form.dataset.confirm;
    if (asks && !window.confirm(asks)) { event.preventDefault(); return; }
    if (saving && form.contains(saving)) {
      event.preventDefault();
      document.addEventListener("htmx:afterRequest", () => setTimeout(() => form.requestSubmit(event.submitter), 0), { once: true });
      return;
    }
    if (form.method === "post") leaving = form;
    if (form.method === "post" && !form.matches("[data-again]") && !(event.submitter && event.submitter.matches("[data-again]"))) {
      setTimeout(() => all("button[type=submit], button:not([type])", form).forEach((button) => { button.disabled = true; }), 0);
    }
    if (form.method === "get") all("input, select", form).forEach((field) => { if (!field.value) field.disabled = true; });
  });
  window.addEventListener("pageshow", (event) => {
    leaving = null;
    if (event.persisted) all("form button:disabled, form :disabled").forEach((field) => { field.disabled = false; });
    all("[data-bulk]").forEach(countChosen);
  });

  /* Lists that narrow as one types, without asking the server (sign-in page). */
  document.addEventListener("input", (event) => {
    const box = event.target.closest("[data-narrow]");
    if (!box) return;
    const wanted = box.value.trim().toLowerCase();
    all(box.dataset.narrow).forEach((item) => { item.hidden = wanted !== "" && !item.textContent.toLowerCase().includes(wanted); });
  });
  document.addEventListener("click", (event) => {
    const fill = event.target.closest("[data-fill]");
    if (fill) {
      const field = one(fill.dataset.fill);
      field.value = fill.dataset.value;
      const next = one(fill.dataset.then || "#password");
      if (next) { if (fill.dataset.password) next.value = fill.dataset.password; next.focus(); }
    }
    const print = event.target.closest("[data-print]");
    if (print) window.print();
  });

  /* The badge beside "我的待办": as long as the list is, counted anew on each page and on return to it. */
  const badge = one("[data-badge]");
  function countTasks() {
    fetch(badge.dataset.badge, { headers: { Accept: "application/json" } })
      .then((answer) => (answer.ok ? answer.json() : null))
      .then((found) => { if (found) { badge.textContent = found.count ? String(found.count) : ""; badge.hidden = !found.count; } })
      .catch(() => {});
  }
  if (badge) {
    countTasks();
    document.addEventListener("visibilitychange", () => { if (!document.hidden) countTasks(); });
  }

  document.body.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["X-CSRFToken"] = one("meta[name=csrf-token]").content;
  });
})();

/* Fields that are asked for only where another field has certain values. */
(function () {
  "use strict";
  const show = (form) => form.querySelectorAll("[data-only]").forEach((box) => {
    const other = form.elements[box.dataset.only];
    const asked = other && box.dataset.onlyIn.split("|").includes(other.value);
    box.hidden = !asked;
    box.querySelectorAll("input, select, textarea").forEach((input) => { input.disabled = !asked; });
  });
  document.querySelectorAll("form").forEach((form) => {
    if (!form.querySelector("[data-only]")) return;
    show(form);
    form.addEventListener("change", () => show(form));
  });
})();

/* A table wider than the screen can be reached and scrolled by keyboard; one that fits is no stop on the way (WCAG 2.1.1). */
(function () {
  "use strict";
  const mark = () => document.querySelectorAll(".tablewrap").forEach((wrap) => {
    const wide = wrap.scrollWidth > wrap.clientWidth || wrap.scrollHeight > wrap.clientHeight;
    const told = { tabindex: "0", role: "region", "aria-label": "可滚动的表格" };
    Object.entries(told).forEach(([name, value]) => { if (wide) wrap.setAttribute(name, value); else wrap.removeAttribute(name); });
  });
  mark();
  window.addEventListener("resize", mark);
  document.addEventListener("htmx:afterSettle", mark);
  document.addEventListener("toggle", mark, true);
})();
