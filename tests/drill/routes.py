"""Who may do what with each route, said a second time: route, action of roles.yaml, what it concerns, and what is said of the answer.

Written by hand from the regulation and the process tables, so that a route whose own mark is wrong is found out. A row is
`METHOD rule action concerns [by=role,role]`. `concerns`: `-` nothing in particular; a kind of thing of the town (`ticket`,
`case.filing`): seen only where its unit lies in reach; `own.*`: seen only by the account that asked for it; `city`: the city's
office alone, for whom else it does not exist; `city!`: to others it is refused, and there is none; `nothing`: there is none, whoever asks.
`door`: it leads to the door, or asks again who one is.
`by`: of those who see it, these roles alone may do it, the others are refused.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One way to use a route."""

    method: str
    rule: str
    action: str
    concerns: str
    by: frozenset[str]


TABLE = """
GET    /                                                     signed_in           -
GET    /accounts                                             account.manage      -
POST   /accounts                                             account.manage      -
GET    /accounts/<name>                                      account.manage      account
POST   /accounts/<name>/bind                                 account.manage      account
POST   /accounts/<name>/changes                              account.manage      account
POST   /accounts/<name>/disable                              account.manage      account
POST   /accounts/<name>/unbind                               account.manage      account
GET    /accounts/new                                         account.manage      -
GET    /alarms                                               duty.read           -
POST   /alarms/<int:alarm_id>/acknowledge                    duty.read           nothing         by=security,auditor
GET    /api/openapi.json                                     public              -
GET    /api/v1/<dataset>                                     record.read         -
POST   /api/v1/<dataset>                                     record.write_free   person
POST   /api/v1/<dataset>                                     record.write_free   into.unit
GET    /api/v1/<dataset>/<key>                               record.read         person
GET    /api/v1/<dataset>/<key>                               record.read         unit.record
GET    /api/v1/<dataset>/<key>                               record.read         contract
GET    /api/v1/<dataset>/<key>                               record.read         inner_org
GET    /api/v1/<dataset>/<key>                               record.read         ledger
GET    /api/v1/<dataset>/<key>                               record.read         position
GET    /api/v1/<dataset>/<key>/versions                      record.read         person
GET    /api/v1/<dataset>/<key>/versions                      record.read         ledger
GET    /api/v1/cases/<int:case_id>                           case.read           case.*
POST   /api/v1/cases/<int:case_id>/claim                     case.read           turn.approval
POST   /api/v1/cases/<int:case_id>/release                   case.read           turn.filing
GET    /api/v1/cases/<int:case_id>/history                   case.read           case.approval
GET    /api/v1/cases/<int:case_id>/history                   case.read           case.violation
GET    /api/v1/cases/<int:case_id>/history                   case.read           case.security_check
GET    /api/v1/cases/<int:case_id>/steps                     case.read           case.approval
GET    /api/v1/cases/<int:case_id>/steps                     case.read           case.violation
GET    /api/v1/cases/<int:case_id>/steps                     case.read           case.security_check
POST   /api/v1/cases/<int:case_id>/steps/<do>                case.read           case.approval
POST   /api/v1/cases/<process>                               case.read           file.person   by=unit_clerk
GET    /api/v1/inbox                                         case.read           -
GET    /api/v1/quality                                       dashboard.read      -
POST   /api/v1/session                                       public              -
GET    /api/v1/session                                       signed_in           -
DELETE /api/v1/session                                       signed_in           -
GET    /api/v1/tickets                                       ticket.read         -
GET    /api/v1/tickets/<int:ticket_id>                       ticket.read         ticket
POST   /api/v1/tickets/<int:ticket_id>/recheck               check.run           ticket
GET    /api/v1/units/<code>                                  record.read         unit
GET    /api/v1/units/<code>/people                           record.read         unit
GET    /api/v1/units/<code>/quota                            record.read         unit
GET    /api/v1/units/<code>/tickets                          ticket.read         unit
GET    /approvals/<int:case_id>/notice                       case.read           case.approval
GET    /audit                                                audit.read          -
GET    /audit.csv                                            audit.read          -
GET    /audit/chain                                          audit.read          -
GET    /audit/chain/daily/<day>                              audit.read          nothing
POST   /audit/chain/verify                                   audit.read          -
GET    /audit/chain/verify/<int:request_id>                  audit.read          own.audit_verify
GET    /audit/record                                         audit.read          -
GET    /calendar                                             calendar.read       -
GET    /cases/<int:case_id>                                  matter.read         case.*
POST   /cases/<int:case_id>/attachments                      matter.read         case.approval
GET    /cases/<int:case_id>/attachments/<int:attachment_id>  matter.read         attachment
GET    /cases/<int:case_id>/beside                           matter.read         case.approval
GET    /cases/<int:case_id>/beside                           matter.read         case.violation
GET    /cases/<int:case_id>/beside                           matter.read         case.security_check
POST   /cases/<int:case_id>/comments                         matter.read         case.approval
POST   /cases/<int:case_id>/comments                         matter.read         case.violation
POST   /cases/<int:case_id>/comments                         matter.read         case.security_check
POST   /cases/<int:case_id>/copies                           matter.read         case.approval
POST   /cases/<int:case_id>/copies/<int:copy_id>/sign        matter.read         copy
GET    /cases/<int:case_id>/evidence.zip                     case.evidence       case.approval
GET    /cases/<int:case_id>/evidence.zip                     case.evidence       case.filing
GET    /cases/<int:case_id>/evidence.zip                     case.evidence       case.violation
GET    /cases/<int:case_id>/evidence.zip                     case.evidence       case.security_check
GET    /cases/<int:case_id>/evidence/<int:number>            matter.read         case.approval
GET    /cases/<int:case_id>/form/<name>/<int:number>         matter.read         case.approval
POST   /cases/<int:case_id>/hold                             matter.read         turn.approval
GET    /cases/<int:case_id>/reassign                         matter.read         turn.approval
POST   /cases/<int:case_id>/reassign                         matter.read         turn.approval
POST   /cases/<int:case_id>/steps/<do>                       matter.read         case.approval
POST   /cases/<int:case_id>/steps/<do>                       matter.read         case.violation
POST   /cases/<int:case_id>/steps/<do>                       matter.read         case.security_check
POST   /cases/<int:case_id>/urge                             matter.read         case.approval
GET    /checks/<int:case_id>                                 case.read           case.check_pair
POST   /checks/<int:case_id>/samples                         case.read           case.check_pair by=unit_clerk
POST   /checks/<int:case_id>/samples/<int:sample_id>/strike  case.read           sample          by=nobody
GET    /checks/bulletin                                      case.read           city
GET    /checks/bulletin.<form>                               case.read           nothing
GET    /checks/rounds/<int:case_id>                          case.read           case.cross_check
GET    /exports                                              export.run          -
GET    /exports/<int:request_id>                             export.run          own.export
GET    /exports/<int:request_id>/file                        export.run          nothing
GET    /filings                                              case.read           -
POST   /filings                                              filing.begin        file.person
POST   /filings                                              filing.begin        file.unit
POST   /filings                                              filing.begin        file.ticket
GET    /filings/<int:case_id>                                case.read           case.filing
POST   /filings/<int:case_id>/autosave                       filing.begin        case.filing
POST   /filings/<int:case_id>/corrections                    filing.begin        case.filing
GET    /filings/<int:case_id>/edit                           filing.begin        case.filing
POST   /filings/<int:case_id>/edit                           filing.begin        case.filing
GET    /filings/<int:case_id>/print                          case.read           case.filing
POST   /filings/<int:case_id>/rebase                         filing.begin        case.filing
POST   /filings/<int:case_id>/steps/<do>                     case.read           case.filing
GET    /filings/batch                                        filing.begin        -
POST   /filings/batch                                        filing.begin        -
GET    /filings/new                                          filing.begin        -
GET    /healthz                                              public              -
GET    /imports                                              import.run          -
POST   /imports                                              import.run          -
GET    /imports/<int:batch_id>                               import.run          own.batch
POST   /imports/<int:batch_id>/again                         import.run          own.batch
GET    /imports/<int:batch_id>/annotated                     import.run          own.refused
POST   /imports/<int:batch_id>/confirm                       import.run          own.batch
GET    /imports/<int:batch_id>/progress                      import.run          own.batch
GET    /imports/template/<dataset>                           import.run          -
GET    /law                                                  signed_in           -
GET    /letters/<int:case_id>.<form>                         case.read           case.letter
GET    /matters/<process>                                    matter.read         process.approval
GET    /matters/<process>                                    matter.read         process.incident
GET    /matters/<process>                                    matter.read         process.violation
POST   /matters/<process>                                    matter.read         begin.report_request
GET    /matters/<process>/new                                matter.read         form.approval
GET    /matters/<process>/new                                matter.read         form.incident
GET    /matters/<process>/new                                matter.read         form.violation
GET    /me/prove                                             signed_in           -
POST   /me/prove                                             signed_in           door
GET    /me/sessions                                          signed_in           -
GET    /metrics                                              public              -
GET    /migrations                                           migration.read      -
GET    /migrations/<digest>                                  migration.read      city!
POST   /migrations/<digest>/run                              migration.run       city!
POST   /migrations/ask                                       migration.run       -
GET    /migrations/new/<process>                             migration.run       city!
POST   /migrations/try                                       migration.run       city!
GET    /monthly                                              monthly.read        -
GET    /monthly/<int:case_id>                                monthly.read        case.monthly_report
POST   /monthly/<int:case_id>/answers                        monthly.read        case.monthly_report
POST   /monthly/<int:case_id>/demand                         monthly.read        case.monthly_report
GET    /monthly/<int:case_id>/export                         monthly.read        case.monthly_report
GET    /monthly/<int:case_id>/print                          monthly.read        case.monthly_report
GET    /monthly/consistency                                  monthly.consistency -
GET    /monthly/export                                       monthly.read        -
POST   /monthly/steps/<do>                                   monthly.read        case.monthly_report
GET    /negative                                             case.read           -
POST   /negative/<int:entry_id>/<do>                         case.read           entry           by=reviewer
GET    /notices                                              signed_in           -
POST   /notices/read                                         signed_in           -
GET    /processes                                            signed_in           -
GET    /processes/<process>                                  signed_in           -
GET    /quality                                              dashboard.read      -
GET    /readyz                                               public              -
GET    /records/<dataset>/<key>                              record.read         person
GET    /records/<dataset>/<key>                              record.read         unit.record
GET    /records/<dataset>/<key>                              record.read         contract
GET    /records/<dataset>/<key>                              record.read         ledger
GET    /records/<dataset>/<key>                              record.read         position
GET    /records/<dataset>/<key>                              record.read         inner_org
GET    /records/<dataset>/<key>/edit                         record.write_free   person
POST   /records/<dataset>/<key>/edit                         record.write_free   person
POST   /records/<dataset>/<key>/remove                       record.write_locked person
GET    /records/<dataset>/<key>/reveal                       record.reveal       person
POST   /records/<dataset>/<key>/reveal                       record.reveal       contract
GET    /records/<dataset>/new                                record.create       -
POST   /records/<dataset>/new                                record.create       -
GET    /records/options/<dataset>                            record.read         -
GET    /red                                                  ticket.read         -
GET    /reports/batch/<int:batch_id>                         import.run          own.batch
POST   /reports/batch/<int:batch_id>                         import.run          own.batch
GET    /reports/export/<dataset>                             export.run          -
POST   /reports/export/<dataset>                             export.run          -
GET    /reports/filing/<int:case_id>                         case.read           case.filing
POST   /reports/filing/<int:case_id>                         case.read           case.filing
GET    /roster                                               record.read         -
GET    /roster/<dataset>                                     record.read         -
POST   /roster/<dataset>/export                              export.run          -
GET    /roster/find                                          record.read         -
GET    /rules                                                rule.read           -
GET    /rules/<rule_id>                                      rule.read           -
GET    /search                                               record.read         -
GET    /sessions                                             account.manage      -
POST   /sessions/<int:session_id>/revoke                     account.manage      session
GET    /sign-in                                              public              -
POST   /sign-in                                              public              -
GET    /sign-in/code                                         public              -
POST   /sign-in/code                                         public              -
GET    /sign-in/password                                     public              -
POST   /sign-in/password                                     public              -
POST   /sign-in/with/<name>                                  public              nothing
GET    /sign-in/with/<name>/callback                         public              nothing
POST   /sign-out                                             signed_in           door
GET    /simulation                                           simulation.run      -
POST   /simulation                                           simulation.run      -
GET    /simulation/<int:request_id>                          simulation.run      own.simulation
GET    /static/<path:filename>                               public              -
GET    /suspensions                                          case.read           -
GET    /suspensions/<int:case_id>                            case.read           case.suspension
GET    /system                                               system.read         -
GET    /system/backups                                       system.read         -
POST   /system/backups                                       backup.run          -
POST   /system/backups/<backup_id>/verify                    backup.run          -
GET    /system/backups/requests/<int:request_id>             backup.run          own.backup
GET    /tasks                                                matter.read         -
GET    /tasks/badge                                          matter.read         -
POST   /tasks/bulk                                           matter.read         -
GET    /tasks/bulk/<int:bulk_id>                             matter.read         own.bulk
POST   /tasks/bulk/<int:bulk_id>/stop                        matter.read         own.bulk
POST   /tasks/bulk/start                                     matter.read         case.approval
POST   /tasks/columns                                        matter.read         -
POST   /tasks/filters                                        matter.read         -
POST   /tasks/filters/<int:filter_id>/forget                 matter.read         own.filter.tasks
POST   /tasks/hold                                           matter.read         turn.approval
POST   /tasks/snooze                                         matter.read         turn.approval
GET    /tickets                                              ticket.read         -
GET    /tickets.csv                                          export.run          -
GET    /tickets/<int:ticket_id>                              ticket.read         ticket
POST   /tickets/<int:ticket_id>/explain                      ticket.explain      ticket
POST   /tickets/<int:ticket_id>/recheck                      check.run           ticket
POST   /tickets/<int:ticket_id>/void                         ticket.void_request ticket
POST   /tickets/filters                                      ticket.read         -
POST   /tickets/filters/<int:filter_id>/forget               ticket.read         own.filter.tickets
POST   /tickets/recheck                                      check.run           -
GET    /units                                                record.read         -
GET    /units/<code>                                         record.read         unit
GET    /units/<code>/standing                                record.read         unit
GET    /units/tree                                           record.read         -
"""


def rows() -> list[Row]:
    """The table, read."""
    found = []
    for line in TABLE.strip().splitlines():
        method, rule, action, concerns, *rest = line.split()
        by = frozenset(rest[0].removeprefix("by=").split(",")) if rest else frozenset[str]()
        found.append(Row(method, rule, action, concerns, by))
    return found
