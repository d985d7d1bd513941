// What the browser keeps: conversations and their pictures, in IndexedDB. Without it (a private window, storage that is
// switched off) both live in memory, and persistent() says so.

const STORES = ['conversations', 'pictures'];
let database = null;  // null: memory
const memory = Object.fromEntries(STORES.map((name) => [name, new Map()]));

function request(operation) {
  return new Promise((resolve, reject) => {
    operation.onsuccess = () => resolve(operation.result);
    operation.onerror = () => reject(operation.error);
  });
}

/** Opens the store; call it once, before the rest. */
export async function openStore() {
  try {
    const opening = indexedDB.open('galago', 1);
    opening.onupgradeneeded = () => {
      opening.result.createObjectStore('conversations', {keyPath: 'id'});
      opening.result.createObjectStore('pictures', {keyPath: 'id'}).createIndex('conversation', 'conversation');
    };
    database = await request(opening);
    database.onversionchange = () => database.close();
  } catch {
    database = null;
  }
}

/** Whether what is kept outlives the page. */
export const persistent = () => database !== null;

async function get(store, id) {
  return (database ? await request(database.transaction(store).objectStore(store).get(id)) : memory[store].get(id)) ?? null;
}

function put(store, value) {
  if (!database) {
    memory[store].set(value.id, structuredClone(value));
    return Promise.resolve();
  }
  const transaction = database.transaction(store, 'readwrite');
  transaction.objectStore(store).put(value);
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}

/**
 * Conversations, the newest first. One is {id, title, named, created, updated, messages}; a message is
 * {role: 'user', text, pictures: [id], images: [{width, height, rows, cols, tiles, tokens}]} or
 * {role: 'assistant', text, state, finish, error, model, figures, asked}.
 */
export async function listConversations() {
  const all = database ? await request(database.transaction('conversations').objectStore('conversations').getAll())
                       : [...memory.conversations.values()];
  return all.sort((a, b) => b.updated - a.updated);
}

export const getConversation = (id) => get('conversations', id);
export const putConversation = (conversation) => put('conversations', conversation);

/** {id, conversation, name, type, width, height, blob} */
export const getPicture = (id) => get('pictures', id);
export const putPicture = (picture) => put('pictures', picture);

/** Removes a conversation's pictures that are not in keep. */
export async function dropPictures(conversation, keep = new Set()) {
  if (!database) {
    for (const [id, picture] of memory.pictures) {
      if (picture.conversation === conversation && !keep.has(id)) memory.pictures.delete(id);
    }
    return;
  }
  const store = database.transaction('pictures', 'readwrite').objectStore('pictures');
  const ids = await request(store.index('conversation').getAllKeys(conversation));
  await Promise.all(ids.filter((id) => !keep.has(id)).map((id) => request(store.delete(id))));
}

export async function deleteConversation(id) {
  await dropPictures(id);
  if (!database) memory.conversations.delete(id);
  else await request(database.transaction('conversations', 'readwrite').objectStore('conversations').delete(id));
}
