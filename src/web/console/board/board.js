// The console's one script: puts the news of the board, or of a replay, into the page as they come. Without it the page stands as it was made.
(() => {
  const board = document.getElementById("board");
  const live = document.getElementById("live");
  if (!board || !live || !window.EventSource) return;
  const news = new EventSource(board.dataset.stream);
  news.addEventListener("board", (event) => {
    const open = board.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    const page = new DOMParser().parseFromString(event.data, "text/html");
    board.replaceChildren(...page.body.childNodes);
    if (open) {
      for (const one of board.querySelectorAll("[tabindex]")) if (one.getAttribute("aria-label") === open) one.focus();
    }
    live.textContent = live.dataset.live;
  });
  // What the page offers has changed with it.
  news.addEventListener("over", () => { news.close(); location.reload(); });
  news.onerror = () => { live.textContent = live.dataset.lost; };
})();
