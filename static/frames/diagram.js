/* Draws the diagram that the page around this frame sends, and tells that page how high it is. */

const tell = (message) => parent.postMessage(message, "*");

async function draw({ code, dark }) {
  document.documentElement.style.colorScheme = dark ? "dark" : "light";
  mermaid.initialize({
    startOnLoad: false, securityLevel: "strict", suppressErrorRendering: true,
    theme: dark ? "dark" : "default", fontFamily: "system-ui, sans-serif",
  });
  const { svg } = await mermaid.render("diagram", code);
  document.body.innerHTML = svg;
  new ResizeObserver(() => tell({ height: document.body.offsetHeight })).observe(document.body);
}

addEventListener("message", ({ source, data }) => {
  if (source === parent) draw(data).catch(() => tell({ failed: true }));
});
tell({ ready: true });
