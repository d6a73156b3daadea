//! What a reader gets: whole reports, looked through as text.

#[cfg(test)]
mod page;
#[cfg(test)]
mod sample;
