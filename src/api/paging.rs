//! Which page of a list: `page` from 0, `perPage` rows, `sortBy`.

use actix_web::{HttpRequest, web};

use super::error::ApiError;
use crate::actors::views::PAGE_ROWS_MAX;

const PER_PAGE: u64 = 10;

/// A page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// Counted from 0.
    pub(super) page: u64,
    /// Rows of a page, 1 to 1,000.
    pub(super) per_page: u64,
    /// Oldest first; otherwise newest first.
    pub(super) ascending: bool,
}

/// The page a request asks for. Parameters of other names are ignored.
///
/// # Errors
/// 422, naming the parameter and its limits.
pub(super) fn page_of(request: &HttpRequest) -> Result<Page, ApiError> {
    let query = query_of(request)?;
    let one = |name: &str| only(&query, name);
    let page = match one("page")? {
        Some(text) => {
            number(text).ok_or_else(|| ApiError::invalid("page", "page: must be an integer from 0"))?
        }
        None => 0,
    };
    let per_page = match one("perPage")? {
        Some(text) => number(text).filter(|rows| (1..=PAGE_ROWS_MAX).contains(rows)).ok_or_else(|| {
            ApiError::invalid("per-page", format!("perPage: must be an integer from 1 to {PAGE_ROWS_MAX}"))
        })?,
        None => PER_PAGE,
    };
    Ok(Page { page, per_page, ascending: one("sortBy")? == Some("dateCreatedAsc") })
}

/// The sequence of the record after which a history goes on; none: from its beginning.
///
/// # Errors
/// 422, naming the parameter.
pub(super) fn after_of(request: &HttpRequest) -> Result<Option<u64>, ApiError> {
    let query = query_of(request)?;
    let Some(text) = only(&query, "after")? else { return Ok(None) };
    let refused = || ApiError::invalid("after", "after: must be the sequence of a record, an integer from 0");
    number(text).map(Some).ok_or_else(refused)
}

pub(super) type Query = Vec<(String, String)>;

/// The parameters of a request, as they are spelt.
///
/// # Errors
/// 422, if they are not parameters.
pub(super) fn query_of(request: &HttpRequest) -> Result<Query, ApiError> {
    let query = web::Query::<Query>::from_query(request.query_string());
    Ok(query.map_err(|error| ApiError::invalid("query", format!("query: {error}")))?.into_inner())
}

/// The parameter of this name, which may be there once.
///
/// # Errors
/// 422, naming it.
pub(super) fn only<'a>(query: &'a Query, name: &str) -> Result<Option<&'a str>, ApiError> {
    let mut values = query.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str());
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(ApiError::invalid("query", format!("{name}: is there twice"))),
    }
}

/// Decimal digits only: no sign, no blank.
pub(super) fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;
    use actix_web::test::TestRequest;

    use super::*;

    fn asked(query: &str) -> Result<Page, ApiError> {
        page_of(&TestRequest::with_uri(&format!("/v1/order{query}")).to_http_request())
    }

    #[test]
    fn pages_as_clients_ask_for_them() {
        let page = |page, per_page, ascending| Page { page, per_page, ascending };
        for (query, expected) in [
            ("", page(0, 10, false)),
            ("?page=0&perPage=10&sortBy=dateCreatedDsc", page(0, 10, false)),
            ("?page=3&perPage=1&sortBy=dateCreatedAsc", page(3, 1, true)),
            ("?perPage=1000&sortBy=datecreatedasc", page(0, 1_000, false)),
            ("?page=18446744073709551615", page(u64::MAX, 10, false)),
            ("?sortBy=&other=1&other=2", page(0, 10, false)),
            ("?per%50age=7", page(0, 7, false)),
        ] {
            assert_eq!(asked(query).unwrap(), expected, "{query}");
        }
    }

    #[test]
    fn others_are_refused_by_name() {
        for (query, name) in [
            ("?page=-1", "page:"),
            ("?page=%2B1", "page:"),
            ("?page=", "page:"),
            ("?page=1.0", "page:"),
            ("?page=%201", "page:"),
            ("?page=18446744073709551616", "page:"),
            ("?page=1&page=1", "page:"),
            ("?perPage=0", "perPage: must be an integer from 1 to 1000"),
            ("?perPage=1001", "perPage: must be an integer from 1 to 1000"),
            ("?perPage=ten", "perPage:"),
            ("?perPage=10&perPage=20", "perPage:"),
            ("?sortBy=dateCreatedAsc&sortBy=dateCreatedAsc", "sortBy:"),
        ] {
            let error = asked(query).unwrap_err();
            assert_eq!(error.status_code(), 422, "{query}");
            assert!(error.to_string().starts_with(name), "{query}: {error}");
        }
    }
}
