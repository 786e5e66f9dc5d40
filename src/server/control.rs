//! Every URL of the control plane, in one table, and the way from a request to its row.

use super::{data::allow_only, document, path};
use crate::{
    api,
    app::App,
    body::Body,
    control::{
        Operation, Request, events, export, health, limits,
        organization::{
            admin_api_keys, api_keys, audit_logs, data_retention, invites, model_permissions,
            project_users, projects, rate_limits, service_accounts, spend_alerts, spend_limit,
            users,
        },
        session, usage,
    },
    domain::Arrival,
    error::Error,
};
use http::{Method, Response};
use http_body_util::BodyExt;
use std::sync::Arc;

/// A method, a URL in which `{name}` stands for one segment, and what is done there. Where two fit, the first counts.
pub(super) type Row = (Method, &'static str, Operation);

/// Rows, one a line.
macro_rules! table {
    ($($method:ident $template:literal => $operation:path,)*) => {
        &[$((Method::$method, $template, $operation),)*]
    };
}

/// What the control plane alone serves. The document of the API is made from these tables too.
pub(super) static TABLE: &[Row] = table! {
    GET "/readyz" => health::READYZ,
    GET "/metrics" => health::METRICS,
    GET "/info" => document::INFO,
    GET "/openapi.json" => document::DOCUMENT,
    GET "/docs" => document::PAGE,
    GET "/admin/events" => events::WATCH,
    GET "/admin/limits" => limits::SHOW,
    GET "/admin/usage/export" => export::EXPORT,
    GET "/v1/me" => session::ME,
    GET "/v1/organization/costs" => usage::COSTS,
    GET "/v1/organization/usage/completions" => usage::COMPLETIONS,
    GET "/v1/organization/usage/embeddings" => usage::EMBEDDINGS,
    GET "/v1/organization/usage/moderations" => usage::MODERATIONS,
    GET "/v1/organization/usage/images" => usage::IMAGES,
    GET "/v1/organization/usage/audio_speeches" => usage::AUDIO_SPEECHES,
    GET "/v1/organization/usage/audio_transcriptions" => usage::AUDIO_TRANSCRIPTIONS,
    POST "/v1/organization/admin_api_keys" => admin_api_keys::CREATE,
    GET "/v1/organization/admin_api_keys" => admin_api_keys::LIST,
    GET "/v1/organization/admin_api_keys/{key_id}" => admin_api_keys::RETRIEVE,
    DELETE "/v1/organization/admin_api_keys/{key_id}" => admin_api_keys::DELETE,
    GET "/v1/organization/audit_logs" => audit_logs::LIST,
    GET "/v1/organization/data_retention" => data_retention::RETRIEVE,
    POST "/v1/organization/data_retention" => data_retention::UPDATE,
    GET "/v1/organization/spend_limit" => spend_limit::RETRIEVE,
    POST "/v1/organization/spend_limit" => spend_limit::UPDATE,
    DELETE "/v1/organization/spend_limit" => spend_limit::DELETE,
    POST "/v1/organization/spend_alerts" => spend_alerts::CREATE,
    GET "/v1/organization/spend_alerts" => spend_alerts::LIST,
    GET "/v1/organization/spend_alerts/{alert_id}" => spend_alerts::RETRIEVE,
    POST "/v1/organization/spend_alerts/{alert_id}" => spend_alerts::UPDATE,
    DELETE "/v1/organization/spend_alerts/{alert_id}" => spend_alerts::DELETE,
    GET "/v1/organization/users" => users::LIST,
    GET "/v1/organization/users/{user_id}" => users::RETRIEVE,
    POST "/v1/organization/users/{user_id}" => users::UPDATE,
    DELETE "/v1/organization/users/{user_id}" => users::DELETE,
    POST "/v1/organization/invites" => invites::CREATE,
    GET "/v1/organization/invites" => invites::LIST,
    GET "/v1/organization/invites/{invite_id}" => invites::RETRIEVE,
    DELETE "/v1/organization/invites/{invite_id}" => invites::DELETE,
    POST "/v1/organization/projects" => projects::CREATE,
    GET "/v1/organization/projects" => projects::LIST,
    GET "/v1/organization/projects/{project_id}" => projects::RETRIEVE,
    POST "/v1/organization/projects/{project_id}" => projects::UPDATE,
    POST "/v1/organization/projects/{project_id}/archive" => projects::ARCHIVE,
    GET "/v1/organization/projects/{project_id}/api_keys" => api_keys::LIST,
    GET "/v1/organization/projects/{project_id}/api_keys/{api_key_id}" => api_keys::RETRIEVE,
    POST "/v1/organization/projects/{project_id}/api_keys/{api_key_id}" => api_keys::UPDATE,
    DELETE "/v1/organization/projects/{project_id}/api_keys/{api_key_id}" => api_keys::DELETE,
    GET "/v1/organization/projects/{project_id}/data_retention" => data_retention::RETRIEVE_OF_PROJECT,
    POST "/v1/organization/projects/{project_id}/data_retention" => data_retention::UPDATE_OF_PROJECT,
    GET "/v1/organization/projects/{project_id}/spend_limit" => spend_limit::RETRIEVE_OF_PROJECT,
    POST "/v1/organization/projects/{project_id}/spend_limit" => spend_limit::UPDATE_OF_PROJECT,
    DELETE "/v1/organization/projects/{project_id}/spend_limit" => spend_limit::DELETE_OF_PROJECT,
    POST "/v1/organization/projects/{project_id}/spend_alerts" => spend_alerts::CREATE_OF_PROJECT,
    GET "/v1/organization/projects/{project_id}/spend_alerts" => spend_alerts::LIST_OF_PROJECT,
    GET "/v1/organization/projects/{project_id}/spend_alerts/{alert_id}" => spend_alerts::RETRIEVE_OF_PROJECT,
    POST "/v1/organization/projects/{project_id}/spend_alerts/{alert_id}" => spend_alerts::UPDATE_OF_PROJECT,
    DELETE "/v1/organization/projects/{project_id}/spend_alerts/{alert_id}" => spend_alerts::DELETE_OF_PROJECT,
    GET "/v1/organization/projects/{project_id}/model_permissions" => model_permissions::RETRIEVE,
    POST "/v1/organization/projects/{project_id}/model_permissions" => model_permissions::UPDATE,
    DELETE "/v1/organization/projects/{project_id}/model_permissions" => model_permissions::DELETE,
    GET "/v1/organization/projects/{project_id}/rate_limits" => rate_limits::LIST,
    POST "/v1/organization/projects/{project_id}/rate_limits/{rate_limit_id}" => rate_limits::UPDATE,
    POST "/v1/organization/projects/{project_id}/users" => project_users::CREATE,
    GET "/v1/organization/projects/{project_id}/users" => project_users::LIST,
    GET "/v1/organization/projects/{project_id}/users/{user_id}" => project_users::RETRIEVE,
    POST "/v1/organization/projects/{project_id}/users/{user_id}" => project_users::UPDATE,
    DELETE "/v1/organization/projects/{project_id}/users/{user_id}" => project_users::DELETE,
    POST "/v1/organization/projects/{project_id}/service_accounts" => service_accounts::CREATE,
    GET "/v1/organization/projects/{project_id}/service_accounts" => service_accounts::LIST,
    GET "/v1/organization/projects/{project_id}/service_accounts/{service_account_id}" => service_accounts::RETRIEVE,
    POST "/v1/organization/projects/{project_id}/service_accounts/{service_account_id}" => service_accounts::UPDATE,
    DELETE "/v1/organization/projects/{project_id}/service_accounts/{service_account_id}" => service_accounts::DELETE,
    POST "/v1/organization/projects/{project_id}/service_accounts/{service_account_id}/api_keys" => service_accounts::CREATE_KEY,
};

/// What both planes serve, in the same way.
pub(super) static ON_BOTH: &[Row] = table! {
    GET "/healthz" => health::HEALTHZ,
    POST "/auth/login" => session::LOGIN,
    POST "/auth/refresh" => session::REFRESH,
    POST "/auth/accept" => session::ACCEPT,
    POST "/auth/logout" => session::LOGOUT,
};

/// Answers a request to the control plane.
pub(super) async fn route(
    app: &Arc<App>,
    request: api::Request,
    arrival: &Arrival,
) -> Result<Response<Body>, Error> {
    let path = request.uri().path();
    let found = find(TABLE, path).or_else(|| find(ON_BOTH, path));
    let row = found.ok_or(Error::NoSuchPath)?;
    answer(row, app, request, arrival).await
}

/// The first row of a table whose template fits a path.
pub(super) fn find(table: &'static [Row], path: &str) -> Option<Found> {
    let (_, template, _) = table
        .iter()
        .find(|(_, template, _)| path::fits(template, path))?;
    Some(Found { table, template })
}

/// A URL, and the table that it is in.
#[derive(Clone, Copy)]
pub(super) struct Found {
    table: &'static [Row],
    template: &'static str,
}

impl Found {
    /// What is done there, by method.
    fn operations(self) -> impl Iterator<Item = (&'static Method, &'static Operation)> {
        let rows = self.table.iter();
        rows.filter(move |(_, template, _)| *template == self.template)
            .map(|(method, _, operation)| (method, operation))
    }

    /// The methods that it takes.
    fn methods(self) -> Vec<Method> {
        let mut methods = Vec::new();
        for (method, _) in self.operations() {
            methods.push(method.clone());
            if *method == Method::GET {
                methods.push(Method::HEAD);
            }
        }
        methods.push(Method::OPTIONS);
        methods
    }
}

/// Answers a request to a URL that was found.
pub(super) async fn answer(
    found: Found,
    app: &Arc<App>,
    request: api::Request,
    arrival: &Arrival,
) -> Result<Response<Body>, Error> {
    let (head, body) = request.into_parts();
    let names = path::names(found.template, head.uri.path()).ok_or(Error::NoSuchPath)?;
    let method = match &head.method {
        // The same without the body, which the connection leaves out.
        &Method::HEAD => &Method::GET,
        other => other,
    };
    let Some((_, operation)) = found.operations().find(|(known, _)| *known == method) else {
        return allow_only(&found.methods(), method);
    };
    let body = body.map_err(Into::into).boxed_unsync();
    let request = Request::new(Arc::clone(app), arrival.clone(), (head, body), names);
    (operation.handler)(request).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_is_reached_and_is_there_once() {
        let mut seen = BTreeSet::new();
        for (table, row) in [TABLE, ON_BOTH]
            .into_iter()
            .flat_map(|table| table.iter().map(move |row| (table, row)))
        {
            let (method, template, _) = row;
            let found = find(table, &template.replace(['{', '}'], ""));
            assert_eq!(found.map(|found| found.template), Some(*template));
            assert!(seen.insert((method.as_str(), *template)), "{template}");
        }
    }
}
