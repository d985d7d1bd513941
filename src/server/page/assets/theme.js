// Before anything is drawn: the chosen appearance. A classic script, since modules run later.
try {
  const theme = localStorage.getItem('galago.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Without storage the system's appearance stays.
}
