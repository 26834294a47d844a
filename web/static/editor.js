// Sources with numbered lines: keeps the numbers in step with the text, and puts what is wrong beside its line.
const LONGEST = 5000; // lines; of more, the rest goes without a number

function notesFor(name) {
  const notes = new Map();
  for (const one of document.querySelectorAll(`[data-line][data-for="${CSS.escape(name)}"]`)) {
    const told = notes.get(one.dataset.line);
    notes.set(one.dataset.line, [...(told ? [told] : []), one.dataset.told].join(" · "));
  }
  return notes;
}

function number(editor) {
  const text = editor.querySelector("textarea");
  const notes = notesFor(text.name);
  const written = text.value.split("\n");
  const lines = [];
  for (let line = 1; line <= Math.min(written.length, LONGEST); line += 1) {
    const shown = document.createElement("span");
    shown.textContent = line;
    const told = notes.get(String(line));
    if (told) {
      shown.className = "bad";
      const note = document.createElement("em");
      note.textContent = told;
      note.title = told;
      note.style.setProperty("--end", written[line - 1].replaceAll("\t", "  ").length);
      shown.append(note);
    }
    lines.push(shown);
  }
  editor.querySelector(".editor-lines").replaceChildren(...lines);
}

function goTo(name, line) {
  const text = document.querySelector(`.editor textarea[name="${CSS.escape(name)}"]`);
  if (!text) return;
  const before = text.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  const end = text.value.indexOf("\n", before);
  text.focus({ preventScroll: true });
  text.setSelectionRange(before, end < 0 ? text.value.length : end);
  const shown = text.closest(".editor").querySelectorAll(".editor-lines span")[line - 1];
  shown?.scrollIntoView({ block: "center", inline: "nearest" });
}

const editors = [...document.querySelectorAll("[data-editor]")];
const renumber = () => editors.forEach(number);
for (const editor of editors) {
  let waiting = 0;
  editor.querySelector("textarea").addEventListener("input", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => number(editor));
  });
}
document.addEventListener("htmx:after:swap", renumber);
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-line]");
  if (!link) return;
  event.preventDefault();
  goTo(link.dataset.for, Number(link.dataset.line));
});
renumber();
