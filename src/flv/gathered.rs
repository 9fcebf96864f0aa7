//! Bytes that are gathered to be written together: room that is made once, and cheap to add to.

/// Gathered bytes.
#[derive(Debug, Default)]
pub struct Gathered {
    /// All of the room.
    room: Vec<u8>,
    filled: usize,
}

impl Gathered {
    /// Adds the parts of a tag, one behind the other. If there is no room for them, some is made: `wanted` bytes in all, or
    /// as many as are needed.
    #[inline]
    pub fn push<const H: usize, const T: usize>(
        &mut self,
        head: &[u8; H],
        payload: &[u8],
        trailer: &[u8; T],
        wanted: usize,
    ) {
        let end = self.filled + H + payload.len() + T;
        if self.room.len() < wanted.max(end) {
            self.make_room(wanted.max(end));
        }
        if let Some(room) = self.room.get_mut(self.filled..end)
            && let Some((first, room)) = room.split_first_chunk_mut()
            && let Some((middle, last)) = room.split_last_chunk_mut()
        {
            *first = *head;
            middle.copy_from_slice(payload);
            *last = *trailer;
            self.filled = end;
        }
    }

    #[cold]
    fn make_room(&mut self, bytes: usize) {
        self.room.reserve_exact(bytes - self.room.len());
        self.room.resize(bytes, 0);
    }

    /// What was gathered.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.room.get(..self.filled).unwrap_or_default()
    }

    /// Bytes gathered.
    #[inline]
    pub fn len(&self) -> usize {
        self.filled
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Bytes that there is room for.
    pub fn capacity(&self) -> usize {
        self.room.capacity()
    }

    /// Forgets what was gathered; the room stays.
    #[inline]
    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// Gives room back that is not needed beyond `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        self.room.truncate(bytes.max(self.filled));
        self.room.shrink_to_fit();
    }
}
