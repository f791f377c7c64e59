// The results page keeps itself up to date: it fetches the parts that change, puts them in place, redraws the charts.
const live = document.getElementById("live");
const stale = document.getElementById("stale");
const themes = JSON.parse(document.getElementById("themes").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const config = { displayModeBar: false, responsive: true };

function draw() {
  const figures = JSON.parse(live.querySelector("[data-part=figures] script").textContent);
  for (const chart of live.querySelectorAll("[data-chart]")) {
    const figure = figures[chart.dataset.chart];
    const layout = { ...figure.layout, template: themes[dark.matches ? "dark" : "light"] };
    chart.style.height = `${layout.height}px`;
    window.Plotly.react(chart, figure.data, layout, config);
  }
}

// What somebody opened to read stays open.
function keepOpen(old, fresh) {
  const before = [...old.querySelectorAll("details")];
  fresh.querySelectorAll("details").forEach((box, place) => { box.open = before[place]?.open ?? false; });
}

function put(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  for (const part of fresh.querySelectorAll("[data-part]")) {
    const old = live.querySelector(`[data-part=${part.dataset.part}]`);
    keepOpen(old, part);
    // A part that says the same stays, with whatever is focused, selected or scrolled in it.
    if (old.innerHTML !== part.innerHTML) old.replaceChildren(...part.childNodes);
  }
}

async function refresh() {
  const answer = await fetch(live.dataset.url, { redirect: "manual" });
  if (answer.type === "opaqueredirect" || answer.status === 401) {
    say("You were signed out. Reload the page to sign in again.");
    return false;
  }
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  put(await answer.text());
  draw();
  stale.hidden = true;
  return true;
}

function say(text) {
  stale.textContent = text;
  stale.hidden = false;
}

async function keepFresh(seconds) {
  for (let going = true; going;) {
    await new Promise((resolve) => { setTimeout(resolve, seconds * 1000); });
    if (document.hidden) continue;
    try {
      going = await refresh();
    } catch {
      say("The server does not answer; these numbers may be old. Trying again.");
    }
  }
}

draw();
dark.addEventListener("change", draw);
if (live.dataset.every) keepFresh(Number(live.dataset.every));
