/* References: what one types in the input goes along as the words to look for. */
(function () {
  "use strict";
  document.body.addEventListener("htmx:configRequest", (event) => {
    const input = event.detail.elt;
    if (!input.matches || !input.matches("[data-words]")) return;
    event.detail.parameters = { "f-words": input.value };
  });
})();

/* A file dropped on the box is the file of its input; its name is shown. */
(function () {
  "use strict";
  document.querySelectorAll("[data-drop]").forEach((box) => {
    const input = box.querySelector("input[type=file]");
    const says = box.querySelector("[data-drop-says]");
    const show = () => { if (input.files.length) { says.textContent = input.files[0].name; box.classList.add("filled"); } };
    input.addEventListener("change", show);
    ["dragenter", "dragover"].forEach((name) => box.addEventListener(name, (event) => { event.preventDefault(); box.classList.add("over"); }));
    ["dragleave", "drop"].forEach((name) => box.addEventListener(name, (event) => { event.preventDefault(); box.classList.remove("over"); }));
    box.addEventListener("drop", (event) => { if (event.dataTransfer.files.length) { input.files = event.dataTransfer.files; show(); } });
  });
})();
