// The editor without round trips: rows are added and removed here; without this script the server does it.
const editor = document.getElementById("editor");

function addRow(name) {
  const rows = document.getElementById(name);
  const number = rows.dataset.next;
  rows.dataset.next = Number(number) + 1;
  const html = document.getElementById(`${name}-template`).innerHTML.replaceAll("NUMBER", number);
  rows.insertAdjacentHTML("beforeend", html);
  rows.lastElementChild.querySelector("input:not([type=hidden]):not([type=radio]):not([type=checkbox])").focus();
}

editor.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if ("add" in button.dataset) {
    event.preventDefault();
    addRow(button.dataset.add);
  } else if ("remove" in button.dataset) {
    event.preventDefault();
    button.closest("[data-row]").remove();
  }
});

// Fields that name a metric or an attribute offer those that are typed above them.
function offer(list, fields) {
  const names = [...editor.querySelectorAll(fields)].map((field) => field.value).filter(Boolean);
  list.replaceChildren(...names.map((name) => new Option(name, name)));
}

editor.addEventListener("focusin", (event) => {
  const list = event.target.list;
  if (list?.id === "metric-keys") offer(list, ".metric:not(:has(option[value=ratio]:checked)) [name$=-key]");
  if (list?.id === "context-names") offer(list, "[name^=context-][name$=-name]");
});

const dial = document.getElementById("exploration");
const shown = document.getElementById("exploration-out");
dial.addEventListener("input", () => {
  dial.value = Math.round(dial.value);
  shown.textContent = `${dial.value}%`;
});

// A new experiment's key follows its name until somebody types one.
const name = editor.elements.name;
const key = editor.elements.key;
if (key && !key.value) {
  let typed = false;
  key.addEventListener("input", () => { typed = true; });
  name.addEventListener("input", () => {
    if (!typed) key.value = name.value.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 64);
  });
}

document.querySelector("[aria-invalid=true]")?.focus();
