// Reads the timeline second by second, by pointer or arrow keys. The page is complete without it.
(function () {
  "use strict";
  const plot = document.querySelector(".plot");
  const readout = document.querySelector(".readout");
  const rows = Array.from(document.querySelectorAll("#seconds tbody tr"));
  if (!plot || !readout || rows.length === 0) { return; }
  const heads = Array.from(document.querySelectorAll("#seconds thead th"), (th) => th.textContent.trim());
  const seconds = rows.map((row) => Number(row.dataset.second));
  const end = Number(plot.dataset.end);
  const cursor = document.createElement("div");
  cursor.className = "cursor";
  cursor.hidden = true;
  plot.append(cursor);
  readout.hidden = false;
  plot.tabIndex = 0;
  plot.setAttribute("role", "slider");
  plot.setAttribute("aria-valuemin", String(seconds[0]));
  plot.setAttribute("aria-valuemax", String(seconds[seconds.length - 1]));
  plot.setAttribute("aria-valuenow", String(seconds[0]));
  plot.setAttribute("aria-valuetext", "use the arrow keys to read second by second");
  let current = -1;

  function area() {
    const marks = Array.from(plot.querySelectorAll(".plot_area_marks"));
    return marks.map((mark) => mark.getBoundingClientRect()).find((box) => box.width > 0);
  }
  function words(row) {
    return Array.from(row.children)
      .map((cell, place) => ({ cell, place }))
      .filter(({ cell, place }) => place > 1 && !["0", "–", ""].includes(cell.textContent.trim()))
      .map(({ cell, place }) => heads[place] + ": " + cell.textContent.trim());
  }
  function show(place) {
    const box = area();
    if (!box || place < 0 || place >= rows.length) { return; }
    current = place;
    const second = seconds[place];
    const left = box.left - plot.getBoundingClientRect().left;
    cursor.style.left = left + (second / end) * box.width + "px";
    cursor.style.width = box.width / end + "px";
    cursor.hidden = false;
    const title = document.createElement("b");
    title.textContent = "Second " + second + " (" + rows[place].children[1].textContent.trim() + ")";
    const facts = words(rows[place]).map((fact) => {
      const span = document.createElement("span");
      span.textContent = fact;
      return span;
    });
    readout.replaceChildren(title, ...facts);
    plot.setAttribute("aria-valuenow", String(second));
    plot.setAttribute("aria-valuetext", [title, ...facts].map((node) => node.textContent).join(", "));
  }
  function follow(event) {
    const box = area();
    if (!box) { return; }
    const second = Math.floor(((event.clientX - box.left) / box.width) * end);
    show(seconds.indexOf(second));
  }
  plot.addEventListener("pointermove", follow);
  plot.addEventListener("pointerdown", follow);
  plot.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowUp: 1, ArrowDown: -1, PageUp: 5, PageDown: -5 };
    const jumps = { Home: 0, End: rows.length - 1 };
    let target = null;
    if (event.key in steps) { target = Math.min(Math.max(current + steps[event.key], 0), rows.length - 1); }
    if (event.key in jumps) { target = jumps[event.key]; }
    if (target !== null) { event.preventDefault(); show(target); }
  });
  window.addEventListener("resize", () => { if (current >= 0) { show(current); } });
})();
