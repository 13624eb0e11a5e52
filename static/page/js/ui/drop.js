/**
 * Keeps a file that is dropped on the page from being shown in its place, which would end the call. Nothing else comes of it.
 * @module
 */

export function mountDrop() {
  /** @param {DragEvent} e */
  const refuse = (e) => {
    if (e.dataTransfer?.types.includes('Files')) {
      e.dataTransfer.dropEffect = 'none';
      e.preventDefault();
    }
  };
  window.addEventListener('dragover', refuse);
  window.addEventListener('drop', refuse);
}
